@testset "that scanning curves join the drainage curve and end at Land's saturation" begin
    C, residual = 2.0, 0.05
    f = Fluids(; co2_residual = residual, land_coefficient = C)
    drainage(S) = TwoPhaseFlow.co2_mobility(f, S)[1]
    for S_max in (0.2, 0.5, 0.9)
        scanning(S) = TwoPhaseFlow.co2_mobility(f, S, S_max)[1]
        trapped = TwoPhaseFlow.trapped_saturation(C, residual, S_max)
        @test 1 / (trapped - residual) - 1 / (S_max - residual) ≈ C          # Land's law itself
        @test scanning(S_max) == drainage(S_max)
        @test scanning(S_max - 1e-9) ≈ drainage(S_max) rtol = 1e-6
        @test scanning(trapped - 1e-9) == 0.0 && scanning(trapped + 1e-9) > 0.0
        @test scanning(S_max + 0.05) == drainage(S_max + 0.05)               # more CO2 than ever: drainage goes on
        S = range(trapped, S_max; length = 50)
        @test issorted(scanning.(S)) && all(scanning.(S) .<= drainage.(S))
        # Carlson: what flows at S is a drainage saturation that would leave S_max's trapped CO2 less its own
        for s in S[2:end]
            connected = TwoPhaseFlow.connected_saturation(C, residual, s, S_max)[1]
            own = TwoPhaseFlow.trapped_saturation(C, residual, connected) - residual
            @test s - (connected - residual) ≈ trapped - own atol = 1e-12
        end
    end
    @test TwoPhaseFlow.co2_mobility(Fluids(), 0.4, 0.8) == TwoPhaseFlow.co2_mobility(Fluids(), 0.4)     # no trapping
end

# CO2 rises in a closed column of 40 cells, of which the lowest ten begin with saturation 0.6.
function rising_plume(; keywords...)
    g = Grid(1, 1, 40, 10.0, 10.0, 2.0; top = 1000.0)
    fluids = Fluids(; co2_residual = 0.0, keywords...)
    m = Model(g, Rock(fill(0.2, 40), fill(1e-12, 40)), fluids, Well[])
    start = State(hydrostatic_pressure(g, fluids), vcat(zeros(30), fill(0.6, 10)))
    control = StepControl(; maximum = 100YEAR, initial = 0.1DAY, tolerance_residual = 1e-6)
    state, report = simulate(m, start, Schedule(Float64[], zeros(0, 0)), 0.0, 1e4YEAR; control = control)
    return m, start, state, report
end

@testset "that a plume leaves behind in every cell what Land's law says of its largest saturation" begin
    C = 4.0
    m, start, state, report = rising_plume(; land_coefficient = C)
    @test report.converged
    S, S_max = state.saturation, state.maximum_saturation
    @test S_max[31:40] == fill(0.6, 10) && all(S_max .>= S)
    trapped = [TwoPhaseFlow.trapped_saturation(C, 0.0, s) for s in S_max]
    # what is not trapped gathers in the first two cells, under the top; near its end a scanning curve is a straight
    # line, so that the last mobile CO2 has left exponentially fast: what remains is the sum of Newton's tolerances of 1e-6
    @test maximum(abs, S[3:40] .- trapped[3:40]) < 1e-4
    @test minimum(S_max[3:40]) > 0.05
    @test sum(masses(m, state)[2]) ≈ sum(masses(m, start)[2]) rtol = 1e-8
    # without trapping all of it gathers under the top
    _, _, free, report = rising_plume()
    @test report.converged && maximum(free.saturation[10:40]) < 0.01
end

@testset "that a run can go on where it stopped only with the largest saturations" begin
    inputs = ensemble_case(; members = 1)
    merge!(inputs, Dict("land_coefficient" => 2.0, "co2_residual" => 0.0, "solver" => "direct",
                        "schedule_times" => [0.0, 50DAY], "schedule_rates" => [0.01 0.0],
                        "step_ends" => collect(5DAY:5DAY:200DAY)))
    until(inputs, stop) = run_case(merge(inputs, Dict{String,Any}("stop" => stop)))
    whole, half = until(inputs, 200DAY), until(inputs, 100DAY)
    @test maximum(half["maximum_saturation"] .- half["saturation"]) > 0.01
    from(keys...) = until(merge(inputs, Dict{String,Any}("start" => 100DAY), Dict(k => half[k] for k in keys)), 200DAY)
    rest = from("saturation", "pressure", "maximum_saturation")
    # Newton's tolerance: the direct solver's ordering may differ between the two runs
    @test rest["saturation"] ≈ whole["saturation"] atol = 1e-8
    @test rest["maximum_saturation"] ≈ whole["maximum_saturation"] atol = 1e-8
    forgetful = from("saturation", "pressure")
    @test maximum(abs, forgetful["saturation"] .- whole["saturation"]) > 1e-3
end
