@testset "that CO2 in a closed column rises until each phase is at its residual" begin
    g = Grid(1, 1, 40, 10.0, 10.0, 2.0; top = 1000.0)
    fluids = Fluids()
    m = Model(g, Rock(fill(0.2, 40), fill(1e-12, 40)), fluids, Well[])
    start = State(hydrostatic_pressure(g, fluids), fill(0.4, 40))
    control = StepControl(; maximum = 1000YEAR, initial = DAY)
    state, report = simulate(m, start, Schedule(Float64[], zeros(0, 0)), 0.0, 1e5YEAR; control = control)
    @test report.converged
    # 0.4 = 0.9 f + 0.1 (1 − f): the upper f = 15 of 40 cells hold CO2 and residual brine, the others brine and residual
    # CO2; the approach is algebraic in time (mobility vanishes quadratically at the residuals)
    @test maximum(abs, state.saturation[1:14] .- 0.9) < 2e-3
    @test maximum(abs, state.saturation[17:40] .- 0.1) < 2e-3
    brine, co2 = masses(m, start)
    brine_end, co2_end = masses(m, state)
    @test sum(co2_end) ≈ sum(co2) rtol = 1e-8
    @test sum(brine_end) ≈ sum(brine) rtol = 1e-8
    density(p) = TwoPhaseFlow.co2_density(fluids, p)            # in the CO2 column pressure falls by the weight of CO2
    p = state.pressure
    @test p[10] - p[5] ≈ 5 * 9.80665 * 2.0 * density(p[7]) rtol = 0.01
end

@testset "that capillary pressure balances gravity in a closed column" begin
    g = Grid(1, 1, 50, 10.0, 10.0, 1.0; top = 1000.0)
    fluids = Fluids(; co2_residual = 0.0, co2_compressibility = 0.0, brine_compressibility = 0.0,
                    capillarity = BrooksCorey(1e5, 2.0, 0.1))
    rock = Rock(fill(0.2, 50), fill(1e-12, 50); compressibility = 1e-10)
    start = State(hydrostatic_pressure(g, fluids), fill(0.4, 50))
    control = StepControl(; maximum = 1000YEAR, initial = 0.1DAY)
    state, report = simulate(Model(g, rock, fluids, Well[]), start, Schedule(Float64[], zeros(0, 0)), 0.0, 1e5YEAR;
                             control = control)
    @test report.converged
    capillary = [TwoPhaseFlow.capillary_pressure(fluids.capillarity, S)[1] for S in state.saturation]
    # the whole profile: p_c(S) = p_top − Δρ g z, with the p_top that holds the CO2 there is
    pc(S) = TwoPhaseFlow.capillary_pressure(fluids.capillarity, S)[1]
    at(p) = p <= pc(0.0) ? 0.0 : bisect(S -> pc(S) - p, 0.0, 0.9)
    profile(top) = [at(top - 300 * 9.80665 * k) for k in 0:49]
    exact = profile(bisect(top -> sum(profile(top)) - sum(state.saturation), 1e5, 1e6))
    # the last CO2 arrives algebraically in time
    @test maximum(abs, state.saturation .- exact) < 0.01
    both = findall(S -> 0.1 < S < 0.6, state.saturation)        # where both phases can still move
    @test length(both) > 10
    # dp_c/dz = −(ρ_w − ρ_n) g; the tail is algebraic in time: 1 %
    for k in both[1:end-1]
        @test capillary[k] - capillary[k+1] ≈ 300 * 9.80665 * 1.0 rtol = 0.01
    end
end
