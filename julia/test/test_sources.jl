@testset "that a source is a well of one perforation without a pressure limit" begin
    g = Grid(9, 5, 6, 40.0, 60.0, 10.0; top = 1000.0)
    fluids = Fluids(; capillarity = BrooksCorey(1e4, 2.0, 0.1))
    rock = Rock(fill(0.25, ncells(g)), exp.(randn(MersenneTwister(16), ncells(g))) .* 1e-13; edge_multiplier = 1e6)
    cell, start = cell_index(g, 5, 3, 4), State(hydrostatic_pressure(g, fluids), zeros(ncells(g)))
    times, rates = [0.0, 30DAY, 60DAY], [3.0 0.0 5.0]
    control = StepControl(; ends = collect(5DAY:5DAY:100DAY), tolerance_residual = 1e-11, tolerance_mass = 1e-13)
    run(wells, schedule, sources) =
        simulate(Model(g, rock, fluids, wells), start, schedule, 0.0, 100DAY; control = control, sources = sources,
                 solver = DirectSolver())
    with_well, report = run([Well([cell])], Schedule(times, rates), Sources())
    with_source, report_source =
        run(Well[], Schedule(Float64[], zeros(0, 0)), Sources([cell], times, rates, zero(rates)))
    @test report.converged && report_source.converged
    @test maximum(with_well.saturation) > 0.3
    @test with_source.saturation ≈ with_well.saturation atol = 1e-10         # ten times Newton's tolerance
    @test with_source.pressure ≈ with_well.pressure rtol = 1e-10
    @test report_source.injected ≈ report.injected rtol = 1e-12
end

@testset "that sources are piecewise constant, of either phase, in several cells" begin
    g = Grid(9, 1, 6, 40.0, 60.0, 10.0; top = 1000.0)
    m = Model(g, Rock(fill(0.25, ncells(g)), fill(1e-13, ncells(g)); edge_multiplier = 1e6), Fluids(), Well[])
    sources = Sources([10, 20], [10DAY, 40DAY], [1.0 0.0; 0.0 0.5], [0.0 2.0; 0.3 0.0])
    start = State(hydrostatic_pressure(g, Fluids()), zeros(ncells(g)))
    balances = TwoPhaseFlow.Balance[]
    _, report = simulate(m, start, Schedule(Float64[], zeros(0, 0)), 0.0, 60DAY; sources = sources,
                         report_times = [10DAY, 20DAY, 40DAY, 60DAY], observe = (k, s, b) -> push!(balances, b))
    @test report.converged
    co2, brine = [0.0, 10.0, 30.0, 30.0 + 10.0] .* DAY, [0.0, 3.0, 9.0, 9.0 + 40.0] .* DAY
    @test [b.co2_injected for b in balances] ≈ co2 rtol = 1e-12
    @test [b.brine_injected for b in balances] ≈ brine rtol = 1e-12
    @test report.injected_brine == balances[end].brine_injected
    @test all(b -> abs(b.co2_error) <= 1e-8 * co2[end] && abs(b.brine_error) <= 1e-8 * brine[end], balances)
end

@testset "that sources which cannot be are refused" begin
    one = ones(1, 1)
    @test_throws ArgumentError Sources([1], [0.0], -one, one)
    @test_throws ArgumentError Sources([1], [0.0], one, NaN .* one)
    @test_throws ArgumentError Sources([1, 2], [0.0], one, one)
    @test_throws ArgumentError Sources([1], [1.0, 0.0], ones(1, 2), ones(1, 2))
end
