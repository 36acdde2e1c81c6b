function heterogeneous_section(; wells = [6:9], rng = MersenneTwister(3))
    g = Grid(40, 1, 24, 25.0, 100.0, 10.0; top = 1000.0)
    K = exp.(1.5 .* randn(rng, ncells(g))) .* 1e-13
    injectors = [Well([cell_index(g, 12 + 9w, 1, k) for k in layers]) for (w, layers) in enumerate(wells)]
    rock = Rock(fill(0.25, ncells(g)), K; kv_over_kh = 0.36, edge_multiplier = 1e6)
    return g, Model(g, rock, Fluids(; capillarity = BrooksCorey(1e4, 2.0, 0.1)), injectors)
end

@testset "that the assembly of a part is the whole one, to the last bit" begin
    rng = MersenneTwister(4)
    g, m = heterogeneous_section(; wells = [6:9, [3, 8, 12]])
    n = ncells(g)
    state = State(hydrostatic_pressure(g, m.fluids) .+ 1e5 .* rand(rng, n), 0.6 .* rand(rng, n))
    sources = TwoPhaseFlow.SourceRates()
    sys, whole = TwoPhaseFlow.System(m.pattern), TwoPhaseFlow.System(m.pattern)
    part = TwoPhaseFlow.Part(m.pattern)
    for s in (sys, whole)
        TwoPhaseFlow.begin_step!(s, m, state)
        TwoPhaseFlow.assemble!(s, m, state, DAY, [2.0, 3.0], sources)
    end
    # a few cells; around one perforation of a well whose perforations are far apart; an edge; everything
    for changed in ([100, 101, 500], [cell_index(g, 30, 1, 8)], [1, n], collect(1:n))
        state.pressure[changed] .+= 1e4
        state.saturation[changed] .*= 0.5
        TwoPhaseFlow.set!(part, m.pattern, changed)
        TwoPhaseFlow.assemble!(sys, m, state, DAY, [2.0, 3.0], sources, part)
        TwoPhaseFlow.assemble!(whole, m, state, DAY, [2.0, 3.0], sources)
        @test sys.blocks == whole.blocks
        @test sys.residual == whole.residual
        @test sys.rates == whole.rates && sys.bottom_hole == whole.bottom_hole
    end
    @test length(TwoPhaseFlow.set!(part, m.pattern, [100]).cells) == 5
end

@testset "that local iterations change the work, not the answer" begin
    g, m = heterogeneous_section()
    start = State(hydrostatic_pressure(g, m.fluids), zeros(ncells(g)))
    ends = collect(50.0:50.0:200.0) .* DAY
    function run(max_local)
        control = StepControl(; max_local = max_local, tolerance_residual = 1e-9, ends = ends)
        return simulate(m, start, Schedule([0.0], fill(2.0, 1, 1)), 0.0, 200DAY; control = control)
    end
    everywhere, report = run(0)
    state, local_report = run(8)
    @test report.converged && local_report.converged && report.local_newton == 0
    @test local_report.cuts == report.cuts == 0
    @test local_report.newton < 0.8report.newton
    # both stop at an imbalance of 1e-9 pore volumes in every cell and step; 4 steps, and a front that is sharp
    @test maximum(abs, state.saturation .- everywhere.saturation) < 1e-6
    @test maximum(abs, state.pressure .- everywhere.pressure) < 1.0
    @test abs(local_report.co2_error) < 1e-8local_report.injected
end
