# A layered section with an injection that changes, stops and starts again, and two wells in three dimensions.

layered(rng, g) = repeat(10.0 .^ (-13.5 .+ 1.5 .* rand(rng, g.nz)), g.nx * g.ny) .* exp.(0.3 .* randn(rng, ncells(g)))

@testset "that each phase balances to 1e-8 of the injected mass (edge multiplier $multiplier, ny = $ny)" for
        multiplier in (1.0, 1e6), ny in (1, 6)
    g = Grid(13, ny, 12, 50.0, ny == 1 ? 100.0 : 40.0, 10.0; top = 1000.0)
    fluids = Fluids()
    rock = Rock(fill(0.25, ncells(g)), layered(MersenneTwister(3), g); kv_over_kh = 0.1, compressibility = 1e-9,
                edge_multiplier = multiplier)
    middle = (ny + 1) ÷ 2
    wells = [Well([cell_index(g, 6, middle, k) for k in 7:10]), Well([cell_index(g, 9, middle, 8)])]
    schedule = Schedule([10DAY, 100DAY, 150DAY, 200DAY], [5.0 2.0 0.0 4.0; 0.0 3.0 0.0 1.0])
    m = Model(g, rock, fluids, wells)
    start = State(hydrostatic_pressure(g, fluids), zeros(ncells(g)))
    state, report = simulate(m, start, schedule, 0.0, 260DAY)
    @test report.converged
    injected = (5.0 * 90 + 5.0 * 50 + 5.0 * 60) * DAY
    @test report.injected ≈ injected rtol = 1e-9
    brine, co2 = masses(m, start)
    brine_end, co2_end = masses(m, state)
    @test abs(sum(co2_end .- co2) - injected) < 1e-8 * injected
    @test abs(sum(brine_end .- brine)) < 1e-8 * injected
    @test report.co2_error ≈ sum(co2_end .- co2) - report.injected atol = 1e-10 * injected
    @test all(S -> 0 <= S <= 0.9 + 1e-6, state.saturation)      # residual brine stays
end

@testset "that a symmetric case stays symmetric" begin
    g = Grid(21, 1, 16, 50.0, 100.0, 10.0; top = 1000.0)
    K = reshape(layered(MersenneTwister(4), g), g.nz, g.nx)
    K = vec(0.5 .* (K .+ K[:, end:-1:1]))
    m = Model(g, Rock(fill(0.25, ncells(g)), K; kv_over_kh = 0.36, edge_multiplier = 1e6), Fluids(),
              [Well([cell_index(g, 11, 1, 12)])])
    state, report = simulate(m, State(hydrostatic_pressure(g, Fluids()), zeros(ncells(g))),
                             Schedule([0.0], fill(10.0, 1, 1)), 0.0, 200DAY)
    @test report.converged
    S, p = reshape(state.saturation, g.nz, g.nx), reshape(state.pressure, g.nz, g.nx)
    @test maximum(S) > 0.3
    @test S ≈ S[:, end:-1:1] atol = 1e-5                        # Newton's tolerance is 1e-5 pore volumes
    @test p ≈ p[:, end:-1:1] rtol = 1e-6
end

@testset "that shorter steps converge at first order" begin
    g = Grid(15, 1, 10, 50.0, 100.0, 10.0; top = 1000.0)
    m = Model(g, Rock(fill(0.25, ncells(g)), fill(2e-13, ncells(g)); kv_over_kh = 0.36, edge_multiplier = 1e6),
              Fluids(),
              [Well([cell_index(g, 8, 1, 8)])])
    start = State(hydrostatic_pressure(g, Fluids()), zeros(ncells(g)))
    at(step) = simulate(m, start, Schedule([0.0], fill(5.0, 1, 1)), 0.0, 160DAY;
                        control = StepControl(; initial = step, maximum = step))[1].saturation
    reference = at(0.25DAY)
    coarse, fine = sum(abs, at(8DAY) .- reference), sum(abs, at(4DAY) .- reference)
    # 2 for backward Euler; the reference's own error is 1/16 of fine's
    @test 1.6 < coarse / fine < 2.6
end

@testset "that a step makes good what the one before left open" begin
    g = Grid(12, 1, 8, 50.0, 100.0, 10.0; top = 1000.0)
    m = Model(g, Rock(fill(0.25, 96), fill(1e-13, 96)), Fluids(), Well[])
    state = State(hydrostatic_pressure(g, Fluids()), 0.6 .* rand(MersenneTwister(17), 96))
    sys, dt = TwoPhaseFlow.System(m.pattern), 5DAY
    sys.residual .= 1e-9 .* randn(MersenneTwister(18), 192)      # of the last step, in m³/s
    TwoPhaseFlow.next_step!(sys, m, state, dt)
    brine, co2 = masses(m, state)
    @test sum(sys.old_brine .- brine) ≈ -dt * 1000 * sum(sys.residual[1:2:end]) rtol = 1e-5     # rounding of 1e8 kg
    @test sum(sys.old_co2 .- co2) ≈ -dt * 700 * sum(sys.residual[2:2:end]) rtol = 1e-5
    # ... so that, from an exact start, the errors of many steps that are only just good enough do not add up
    control = StepControl(; ends = collect(DAY:DAY:200DAY), tolerance_mass = 1e-6)
    state, report = simulate(m, state, Schedule(Float64[], zeros(0, 0)), 0.0, 200DAY; control = control)
    @test report.converged
    @test abs(report.co2_error) <= 1.01e-6 * sum(co2) && abs(report.brine_error) <= 1.01e-6 * sum(co2)
end
