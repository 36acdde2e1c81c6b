# The analytic Jacobian against central differences of the residual, with everything switched on: three dimensions,
# gravity, compressible rock, capillary pressure, a well at its rate and one at its pressure limit, several
# perforations.

function dense(pattern, blocks)
    n = ncells(pattern)
    J = zeros(2n, 2n)
    for i in 1:n, q in pattern.rowptr[i]:(pattern.rowptr[i+1]-1)
        j = pattern.colind[q]
        J[2i-1:2i, 2j-1:2j] .= reshape(blocks[:, q], 2, 2)
    end
    return J
end

@testset "that the Jacobian is the derivative of the residual ($(typeof(capillarity)))" for capillarity in (
        NoCapillarity(), BrooksCorey(2e4, 2.0, 0.1), VanGenuchten(3e4, 0.5, 0.1))
    rng = MersenneTwister(1)
    g = Grid(4, 3, 5, 20.0, 30.0, 5.0; top = 1000.0)
    n = ncells(g)
    fluids = Fluids(; brine_exponent = 3.0, co2_compressibility = 1e-8, brine_compressibility = 1e-9,
                    capillarity = capillarity)
    rock = Rock(0.1 .+ 0.2 .* rand(rng, n), exp.(randn(rng, n)) .* 1e-13; kv_over_kh = 0.3, compressibility = 1e-9,
                edge_multiplier = 50.0)
    wells = [Well([cell_index(g, 2, 2, k) for k in 2:4]; radius = 0.1),
             Well([cell_index(g, 3, 2, k) for k in 3:5]; radius = 0.1, skin = 1.0, pressure_limit = 135e5)]
    m = Model(g, rock, fluids, wells)
    before = State(100e5 .+ 20e5 .* rand(rng, n), 0.15 .+ 0.6 .* rand(rng, n))
    now = State(100e5 .+ 20e5 .* rand(rng, n), 0.15 .+ 0.6 .* rand(rng, n))
    rates = [40.0, 1e4]
    sys = TwoPhaseFlow.System(m.pattern)
    TwoPhaseFlow.begin_step!(sys, m, before)
    dt = 3600.0
    function residual(state)
        TwoPhaseFlow.assemble!(sys, m, state, dt, rates)
        return copy(sys.residual)
    end
    residual(now)
    @test sys.bottom_hole[1] > 0 && isapprox(sys.rates[1], 40.0; rtol = 1e-12)   # the first well is at its rate ...
    @test sys.bottom_hole[2] == 135e5 && 0 < sys.rates[2] < 1e4                 # ... the second at its limit
    J = dense(m.pattern, sys.blocks)
    for i in 1:n, (unknown, h) in ((1, 2.0), (2, 1e-6))
        shifted(s) = (state = copy(now); (unknown == 1 ? state.pressure : state.saturation)[i] += s; residual(state))
        difference = (shifted(h) .- shifted(-h)) ./ 2h
        column = J[:, 2(i - 1) + unknown]
        # truncation and rounding of central differences at these h: 1e-7 of the largest entry
        @test maximum(abs, column .- difference) <= 1e-6 * maximum(abs, column)
    end
end

@testset "that assembly allocates nothing" begin
    g = Grid(6, 1, 6, 20.0, 30.0, 5.0; top = 1000.0)
    m = Model(g, Rock(fill(0.2, 36), fill(1e-13, 36)), Fluids(), [Well([8, 9])])
    state = State(hydrostatic_pressure(g, Fluids()), fill(0.2, 36))
    sys, rates = TwoPhaseFlow.System(m.pattern), [1.0]
    TwoPhaseFlow.begin_step!(sys, m, state)
    TwoPhaseFlow.assemble!(sys, m, state, 3600.0, rates)
    # the boxed result of the macro itself
    @test (@allocated TwoPhaseFlow.assemble!(sys, m, state, 3600.0, rates)) <= 64
end
