# Where steps end, what is kept of them, and what a run reports on its way.

steps_case(; more...) = merge(ensemble_case(; members = 2), Dict{String,Any}(String(k) => v for (k, v) in more))

attempts(outputs, key, m) = (last = cumsum(outputs["history_count"]);
                             outputs["history_$key"][(last[m] - outputs["history_count"][m] + 1):last[m]])

@testset "that prescribed steps are taken, and ends that rates and reports ask for" begin
    ends = [1DAY, 3DAY, 10DAY, 50DAY, 90DAY, 200DAY]
    outputs = run_case(steps_case(; step_ends = ends, schedule_times = [0.0, 20DAY], schedule_rates = [0.01 0.02],
                                  report_times = [10DAY * (1 + 1e-15), 60DAY, 100DAY]))
    @test outputs["status"] == [0, 0] && outputs["cuts"] == [0, 0]
    for m in 1:2
        @test attempts(outputs, "time", m) ≈ [0.0, 1, 3, 10, 20, 50, 60, 90] .* DAY
        @test attempts(outputs, "time", m) .+ attempts(outputs, "step", m) ≈ [1, 3, 10, 20, 50, 60, 90, 100] .* DAY
        @test sum(attempts(outputs, "newton", m)) == outputs["newton_iterations"][m]
        @test sum(attempts(outputs, "linear", m)) == outputs["linear_iterations"][m]
        @test all(attempts(outputs, "accepted", m) .== 1)
    end
end

@testset "that a prescribed step that fails is cut, and its end is kept" begin
    outputs = run_case(steps_case(; step_ends = [40DAY, 80DAY], schedule_rates = fill(0.06, 1, 1), step_max_newton = 6))
    @test outputs["status"] == [0, 0] && all(outputs["cuts"] .> 0)
    for m in 1:2
        start, step, accepted = (attempts(outputs, key, m) for key in ("time", "step", "accepted"))
        @test count(==(0), accepted) == outputs["cuts"][m]
        good = findall(==(1), accepted)
        reached = start[good] .+ step[good]
        @test start[good[2:end]] ≈ reached[1:end-1] rtol = 1e-14           # one step begins where the last one ended
        @test all(t -> any(isapprox.(reached, t; rtol = 1e-14)), [40DAY, 80DAY, 100DAY])
        for k in findall(==(0), accepted)
            @test start[k+1] == start[k] && step[k+1] ≈ step[k] / 2
        end
    end
end

@testset "that a run that reports at t₁ equals one to t₁ and one from there, bit for bit (solver $solver)" for
        solver in ("cpr", "direct")
    inputs = steps_case(; step_ends = collect(7DAY:7DAY:100DAY), solver = solver, capillarity = "brooks_corey",
                        entry_pressure = 1e4, pore_size_index = 2.0, report_times = [30DAY, 100DAY])
    whole = run_case(inputs)
    pop!(inputs, "report_times")
    half = run_case(merge(inputs, Dict{String,Any}("stop" => 30DAY)))
    rest = run_case(merge(inputs, Dict{String,Any}("start" => 30DAY, "saturation" => half["saturation"],
                                                   "pressure" => half["pressure"])))
    @test whole["report_saturation"][:, :, 1, :] == half["saturation"]
    @test whole["report_pressure"][:, :, 1, :] == half["pressure"]
    @test whole["saturation"] == whole["report_saturation"][:, :, 2, :] == rest["saturation"]
    @test whole["pressure"] == whole["report_pressure"][:, :, 2, :] == rest["pressure"]
    @test half["steps"] .+ rest["steps"] == whole["steps"]
end

@testset "that each phase balances to 1e-8 at every report, in every member" begin
    times = collect(10.0:10.0:100.0) .* DAY
    inputs = steps_case(; report_times = times, schedule_times = [0.0, 55DAY], schedule_rates = [0.01 0.0],
                        source_cells = Int64[2 9; 0 0; 2 8], source_times = [15DAY], source_co2 = fill(0.1, 2, 1),
                        source_brine = [0.4, 0.2], capillarity = "van_genuchten", capillary_scale = 1e4,
                        van_genuchten_m = 0.5, rock_compressibility = 1e-9)
    outputs = run_case(inputs)
    @test outputs["status"] == [0, 0]
    co2 = [7.0 * min(t, 55DAY) + 0.2 * max(t - 15DAY, 0.0) for t in times]
    brine = [0.6 * max(t - 15DAY, 0.0) for t in times]
    for m in 1:2
        @test outputs["report_co2_injected"][:, m] ≈ co2 rtol = 1e-12
        @test outputs["report_brine_injected"][:, m] ≈ brine rtol = 1e-12
        @test outputs["report_co2_mass"][:, m] ≈ co2 rtol = 1e-8            # nothing in place at the start
        # of the injected masses: brine in place, huge edge cells included, is 1e6 times more
        @test maximum(abs, outputs["report_co2_error"][:, m] ./ co2) < 1e-8
        @test maximum(abs, outputs["report_brine_error"][:, m]) < 1e-8 * (co2[end] + brine[end])
    end
    @test outputs["injected_brine"] ≈ fill(brine[end], 2) rtol = 1e-12
    pc(S) = TwoPhaseFlow.capillary_pressure(VanGenuchten(1e4, 0.5, 0.1), S)[1]
    @test outputs["report_co2_pressure"] ≈ outputs["report_pressure"] .+ pc.(outputs["report_saturation"]) rtol = 1e-14
    # the pressure of CO2 is what its mass is computed with
    S, p = outputs["report_saturation"][:, :, 10, 1], outputs["report_co2_pressure"][:, :, 10, 1]
    edge = [ix in (1, 12) ? 1e6 : 1.0 for iz in 1:10, ix in 1:12]
    pores = 25000.0 .* edge .* exp.(1e-9 .* (outputs["report_pressure"][:, :, 10, 1] .- 150e5))
    @test sum(pores .* S .* 700 .* exp.(1e-9 .* (p .- 150e5))) ≈ outputs["report_co2_mass"][10, 1] rtol = 1e-12
end

@testset "that a failure keeps its history and the reports before it" begin
    inputs = steps_case(; report_times = [10DAY, 50DAY, 100DAY], schedule_times = [0.0, 40DAY],
                        schedule_rates = [0.01 100.0])                         # nothing can take the second rate
    outputs = run_case(inputs)
    @test outputs["status"] == [1, 1] && all(40DAY .<= outputs["final_time"] .< 50DAY)
    @test all(isfinite, outputs["report_saturation"][:, :, 1, :]) && all(isfinite, outputs["report_co2_mass"][1, :])
    @test all(isnan, outputs["report_saturation"][:, :, 2:3, :]) && all(isnan, outputs["report_co2_error"][2:3, :])
    @test all(outputs["history_count"] .> outputs["steps"])
    @test [attempts(outputs, "accepted", m)[end] for m in 1:2] == [0, 0]
end

@testset "that tolerances are kept phase by phase" begin
    g = Grid(12, 1, 8, 50.0, 100.0, 10.0; top = 1000.0)
    m = Model(g, Rock(fill(0.25, 96), fill(1e-13, 96); edge_multiplier = 1e6), Fluids(), [Well([44])])
    start = State(hydrostatic_pressure(g, Fluids()), zeros(96))
    function final_residual(tolerance)
        control = StepControl(; ends = [10DAY], tolerance_residual = tolerance, tolerance_mass = 1.0)
        ws = TwoPhaseFlow.Workspace(DirectSolver(), m.pattern)
        ws.scheduled[1] = 1.0
        TwoPhaseFlow.begin_step!(ws.system, m, start)
        @test TwoPhaseFlow.newton_step!(ws, m, start, 10DAY, control)[1]
        R = abs.(ws.system.residual) .* 10DAY
        return maximum(R[1:2:end] ./ m.pore_volume), maximum(R[2:2:end] ./ m.pore_volume)
    end
    @test all(final_residual((1e-2, 1e-8)) .<= (1e-2, 1e-8))
    @test all(final_residual((1e-8, 1e-2)) .<= (1e-8, 1e-2))
    @test any(final_residual(1e-2) .> 1e-8)                      # so the two above had something to do
    @test StepControl(; tolerance_mass = 1e-7).tolerance_mass == (1e-7, 1e-7)
end
