# The analytic Jacobian against central differences of the residual, with everything switched on: three dimensions,
# anisotropy, gravity, compressible rock, inactive cells, sources, a well at its rate and one at its pressure limit,
# several perforations; and each law of the fluids in turn.

function dense(pattern, blocks)
    n = ncells(pattern)
    J = zeros(2n, 2n)
    for i in 1:n, q in pattern.rowptr[i]:(pattern.rowptr[i+1]-1)
        j = pattern.colind[q]
        J[2i-1:2i, 2j-1:2j] .= reshape(blocks[:, q], 2, 2)
    end
    return J
end

const NODES = sort(vcat(0.0, 1.0, rand(MersenneTwister(9), 12)))

laws() = (
    "Corey" => (brine_exponent = 3.0,),
    "Corey, general exponents" => (brine_exponent = 2.5, co2_exponent = 1.5),
    "Brooks–Corey" => (relative_permeability = BrooksCoreyCurves(1.7), capillarity = BrooksCorey(2e4, 1.7, 0.1)),
    "Brooks–Corey, λ = 2" => (relative_permeability = BrooksCoreyCurves(2.0), capillarity = BrooksCorey(2e4, 2.0, 0.1)),
    "van Genuchten" => (relative_permeability = VanGenuchtenCurves(0.4), capillarity = VanGenuchten(3e4, 0.4, 0.1)),
    "van Genuchten, m = ½" => (relative_permeability = VanGenuchtenCurves(0.5),
                               capillarity = VanGenuchten(3e4, 0.5, 0.1)),
    "tables" => (relative_permeability = TabulatedCurves(NODES, (1 .- NODES) .^ 3, NODES .^ 2),
                 capillarity = TabulatedCapillarity(NODES, 1e4 .+ 5e4 .* NODES .^ 2)),
    "linear and quadratic density" => (brine_density_law = "quadratic", co2_density_law = "linear"),
    "trapping" => (land_coefficient = 2.0, co2_residual = 0.05, capillarity = BrooksCorey(2e4, 2.0, 0.1)))

@testset "that the Jacobian is the derivative of the residual ($name)" for (name, law) in laws()
    rng = MersenneTwister(1)
    g = Grid(4, 3, 5, 20.0, 30.0, 5.0; top = 1000.0)
    n = ncells(g)
    fluids = Fluids(; co2_compressibility = 1e-8, brine_compressibility = 1e-9, law...)
    active = fill(true, n)
    active[[cell_index(g, 1, 1, 1), cell_index(g, 4, 2, 3), cell_index(g, 4, 2, 4)]] .= false
    K = exp.(randn(rng, n)) .* 1e-13
    K[.!active] .= NaN
    rock = Rock(0.1 .+ 0.2 .* rand(rng, n), K; kv_over_kh = 0.1 .+ rand(rng, n), ky_over_kx = 0.5,
                compressibility = 1e-9, edge_multiplier = 50.0, active = active)
    wells = [Well([cell_index(g, 2, 2, k) for k in 2:4]; radius = 0.1),
             Well([cell_index(g, 3, 2, k) for k in 3:5]; radius = 0.1, skin = 1.0, pressure_limit = 135e5)]
    m = Model(g, rock, fluids, wells)
    before, S = State(100e5 .+ 20e5 .* rand(rng, n), 0.15 .+ 0.6 .* rand(rng, n)), 0.15 .+ 0.6 .* rand(rng, n)
    # half of the cells have held more CO2 before, and are on a scanning curve where there is trapping
    highest = S .+ ifelse.(rand(rng, n) .> 0.5, 0.2 .* rand(rng, n), -0.1)
    now = State(100e5 .+ 20e5 .* rand(rng, n), S, highest)
    rates = [40.0, 1e4]
    sources = TwoPhaseFlow.SourceRates([cell_index(g, 1, 2, 3)], [2.0], [3.0])
    sys = TwoPhaseFlow.System(m.pattern)
    TwoPhaseFlow.begin_step!(sys, m, before)
    foreach(w -> TwoPhaseFlow.weigh_column!(sys, m, before, w, rates[w], rates[w]), 1:2)
    dt = 3600.0
    function residual(state)
        TwoPhaseFlow.assemble!(sys, m, state, dt, rates, sources)
        return copy(sys.residual)
    end
    residual(now)
    @test sys.bottom_hole[1] > 0 && isapprox(sys.rates[1], 40.0; rtol = 1e-12)   # the first well is at its rate ...
    @test sys.bottom_hole[2] == 135e5 && 0 < sys.rates[2] < 1e4                 # ... the second at its limit
    J = dense(m.pattern, sys.blocks)
    for i in 1:n, (unknown, h) in ((1, 2.0), (2, 1e-6))
        column = J[:, 2(i - 1) + unknown]
        if !active[i]
            @test column == J[2(i - 1) + unknown, :] == [k == 2(i - 1) + unknown for k in 1:2n]      # identity
            continue
        end
        shifted(s) = (state = copy(now); (unknown == 1 ? state.pressure : state.saturation)[i] += s; residual(state))
        difference = (shifted(h) .- shifted(-h)) ./ 2h
        # truncation and rounding of central differences at these h: 1e-7 of the largest entry
        @test maximum(abs, column .- difference) <= 1e-6 * maximum(abs, column)
    end
end

@testset "that assembly allocates nothing ($name)" for (name, law) in laws()
    g = Grid(6, 1, 6, 20.0, 30.0, 5.0; top = 1000.0)
    fluids = Fluids(; law...)
    rock = Rock(fill(0.2, 36), fill(1e-13, 36); active = (1:36) .!= 36, compressibility = 1e-10)
    m = Model(g, rock, fluids, [Well([8, 9])])
    state = State(hydrostatic_pressure(g, fluids), fill(0.2, 36))
    sys, rates, sources = TwoPhaseFlow.System(m.pattern), [1.0], TwoPhaseFlow.SourceRates([3], [1.0], [0.0])
    function measured()
        TwoPhaseFlow.begin_step!(sys, m, state)
        TwoPhaseFlow.assemble!(sys, m, state, 3600.0, rates, sources)
        return @allocated (TwoPhaseFlow.begin_step!(sys, m, state);
                           TwoPhaseFlow.assemble!(sys, m, state, 3600.0, rates, sources))
    end
    measured()
    # the count is of the whole process, in which another thread may wake up; what assembly allocates comes every time
    @test minimum(measured() for _ in 1:3) == 0
end
