@testset "that the pressure in a well is that of radial flow" begin
    # CO2 alone in a horizontal square with open edges: p_bh − p(r) = Q μ / (2π K h ρ) ln(r/r_w) in the steady state.
    g = Grid(41, 41, 1, 10.0, 10.0, 5.0; top = 1000.0)
    n, centre = ncells(g), cell_index(g, 21, 21, 1)
    fluids = Fluids(; brine_residual = 0.0, co2_residual = 0.0, co2_compressibility = 1e-12)
    K, Q, radius = 1e-13, 2.0, 0.15
    m = Model(g, Rock(fill(0.2, n), fill(K, n); edge_multiplier = 1e8), fluids, [Well([centre]; radius = radius)])
    state, report = simulate(m, State(fill(100e5, n), ones(n)), Schedule([0.0], fill(Q, 1, 1)), 0.0, 100DAY)
    @test report.converged
    r = 50.0
    exact = Q * fluids.co2_viscosity / (2π * K * 5.0 * 700.0) * log(r / radius)
    # the square boundary at 200 m disturbs the circular field by about (r/200)⁴ = 0.4 %
    @test report.bottom_hole[1] - state.pressure[cell_index(g, 26, 21, 1)] ≈ exact rtol = 0.01
    @test report.rates[1] ≈ Q rtol = 1e-12
end

function three_layers(limit, rate)
    g = Grid(9, 1, 6, 40.0, 60.0, 10.0; top = 1000.0)
    fluids = Fluids()
    K = repeat([1e-14, 1e-13, 3e-13, 1e-18, 1e-13, 2e-13], 9)
    cells = [cell_index(g, 5, 1, k) for k in 2:5]
    m = Model(g, Rock(fill(0.25, ncells(g)), K; edge_multiplier = 1e6), fluids,
              [Well(cells; radius = 0.1, skin = 0.5, pressure_limit = limit)])
    start = State(hydrostatic_pressure(g, fluids), zeros(ncells(g)))
    state, report = simulate(m, start, Schedule([0.0], fill(rate, 1, 1)), 0.0, 30DAY)
    return g, m, start, state, report
end

# Sum of Peaceman's formula over the perforations, written once more from the papers.
function peaceman_rate(g, m, state, p_bh)
    f, total, p_well = m.fluids, 0.0, p_bh
    for (j, i) in enumerate(m.wells[1].cells)
        S, p = state.saturation[i], state.pressure[i]
        WI = 2π * m.rock.permeability[i] * g.dz / (log(0.14 * sqrt(g.dx^2 + g.dy^2) / 0.1) + 0.5)
        mobility = clamp((0.9 - S) / 0.8, 0, 1)^2 / 1e-3 + clamp((S - 0.1) / 0.8, 0, 1)^2 / 1e-4
        density(p) = 700exp(1e-9 * (p - 150e5))
        # the mean pressure of a section of 10 m, to 1e-4 of its weight
        j > 1 && (p_well += density(p_well + 0.5 * 700 * 9.80665 * g.dz) * 9.80665 * g.dz)
        total += WI * mobility * density(p) * max(p_well - p, 0.0)
    end
    return total
end

@testset "that a well obeys Peaceman's formula, at its rate and at its pressure limit" begin
    g, m, start, state, report = three_layers(Inf, 3.0)
    @test report.converged
    @test report.rates[1] ≈ 3.0 rtol = 1e-12
    # the column in the well is that of the start of the last step, in which p_bh moved by some 1e5 Pa: 1e-4 of a head
    # of 2e5 Pa, 20 Pa beside drawdowns of some 4e5 Pa
    @test peaceman_rate(g, m, state, report.bottom_hole[1]) ≈ 3.0 rtol = 2e-4

    limit = 110e5
    g, m, start, state, report = three_layers(limit, 1e3)
    @test report.converged && report.bottom_hole[1] == limit
    @test 0 < report.rates[1] < 1e3
    @test peaceman_rate(g, m, state, limit) ≈ report.rates[1] rtol = 2e-4
    @test maximum(state.pressure[m.wells[1].cells]) < limit + 700 * 9.80665 * 3 * g.dz
    @test abs(report.co2_error) < 1e-8 * report.injected        # what was not injected is not counted
end

@testset "that nothing flows back into a well" begin
    conductance, threshold = [1.0, 2.0, 1.0], [10.0, 50.0, 12.0]
    pressure, total = TwoPhaseFlow.balanced_pressure(conductance, threshold, 3, 6.0)
    @test total == 2.0                                          # the second perforation is closed by its own pressure
    @test pressure == (6.0 + 10.0 + 12.0) / 2
end

@testset "that a schedule is piecewise constant" begin
    s = Schedule([1.0, 2.0], [3.0 0.0])
    at(t) = TwoPhaseFlow.rate(s, 1, TwoPhaseFlow.period(s, t))
    @test at.([0.0, 1.0, 1.9, 2.0, 9.0]) == [0.0, 3.0, 3.0, 0.0, 0.0]
    @test_throws ArgumentError Schedule([2.0, 1.0], [3.0 0.0])
    @test_throws ArgumentError Schedule([1.0, 2.0], [3.0 -1.0])
    @test_throws ArgumentError Well(Int[])
    @test_throws ArgumentError well_index(Grid(1, 1, 1, 1.0, 1.0, 1.0), 1e-13, 5.0, 0.0)
end
