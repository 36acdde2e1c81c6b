include("ensemble_case.jl")

@testset "that an ensemble run gives what single members give" begin
    inputs = ensemble_case()
    untouched = deepcopy(inputs)
    outputs = run_case(inputs)
    @test inputs == untouched
    @test outputs["status"] == zeros(Int, 5) && outputs["reason"] == "\n"^4
    @test maximum(outputs["saturation"]) > 0.2
    # bit for bit: a workspace that served others leaves no trace
    for m in (2, 5)
        single = ensemble_case()
        for key in ("permeability", "saturation", "pressure")
            single[key] = inputs[key][:, :, m:m]
        end
        @test run_case(single)["saturation"][:, :, 1] == outputs["saturation"][:, :, m]
    end
end

@testset "that a failing member leaves the others unaffected" begin
    good = run_case(ensemble_case())
    inputs = ensemble_case()
    inputs["permeability"][:, :, 2] .= 1e-24                    # injecting here takes an absurd pressure
    inputs["permeability"][3, 3, 4] = NaN                       # and this is no permeability
    progress = tempname()
    inputs["progress"] = progress
    outputs = run_case(inputs)
    @test outputs["status"] == [0, 1, 0, 1, 0]
    reasons = split(outputs["reason"], '\n')
    @test occursin("pressure", reasons[2]) && occursin("pressure_limit", reasons[2])
    @test occursin("permeability", reasons[4])
    @test all(isnan, outputs["saturation"][:, :, [2, 4]]) && all(isnan, outputs["pressure"][:, :, [2, 4]])
    @test outputs["saturation"][:, :, [1, 3, 5]] == good["saturation"][:, :, [1, 3, 5]]
    @test outputs["final_time"][[1, 3, 4]] == [100DAY, 100DAY, 0.0]
    @test filesize(progress) == 5
    rm(progress)
end

@testset "that members that finish at the same time are all counted" begin
    mktempdir() do folder
        counted = map(1:100) do k
            progress = joinpath(folder, string(k))
            foreach(wait, [Threads.@spawn(for _ in 1:50; TwoPhaseFlow.append_byte(progress); end) for _ in 1:2])
            filesize(progress)
        end
        @test all(counted .== 100)
    end
end

@testset "that a member is given up after the prescribed number of cuts" begin
    inputs = ensemble_case(; members = 1)
    inputs["step_max_newton"] = 1                               # nothing converges in one iteration
    inputs["step_max_cuts"] = 4
    outputs = run_case(inputs)
    @test outputs["status"] == [1] && outputs["cuts"] == [5] && outputs["steps"] == [0] &&
        outputs["final_time"] == [0.0]
    @test occursin("no convergence at t = 0.0 days", outputs["reason"]) && occursin("after 5 cuts", outputs["reason"])
end

@testset "that one and two threads give the same bits" begin
    here = run_case(ensemble_case())
    threads, path = Threads.nthreads() == 1 ? 2 : 1, tempname()
    script = """
        using TwoPhaseFlow, Random
        const DAY = 86400.0
        include($(repr(joinpath(@__DIR__, "ensemble_case.jl"))))
        outputs = run_case(ensemble_case())
        S, p = outputs["saturation"], outputs["pressure"]
        open(io -> write(io, Float64(Threads.nthreads()), S, p), $(repr(path)), "w")
        """
    project = dirname(@__DIR__)
    run(`$(Base.julia_cmd()) --startup-file=no --project=$project --threads=$threads -e $script`)
    there = reinterpret(Float64, read(path))
    @test there[1] == threads
    @test there[2:end] == vcat(vec(here["saturation"]), vec(here["pressure"]))
    rm(path)
end

@testset "that members are told when they begin and finish, with what an ensemble of one gives" begin
    inputs = ensemble_case()
    inputs["report_times"] = [50DAY, 100DAY]
    inputs["permeability"][3, 3, 4] = NaN
    told, begun, guard = Dict{Int,Any}(), Int[], ReentrantLock()
    whole = run_case(inputs; begun = m -> lock(() -> push!(begun, m), guard),
                     finished = (m, outputs) -> lock(() -> (told[m] = outputs), guard))
    @test sort(begun) == 1:5 && sort(collect(keys(told))) == 1:5
    for key in ("permeability", "saturation", "pressure")
        inputs[key] = inputs[key][:, :, 2:2]
    end
    alone = run_case(inputs)
    @test keys(told[2]) == keys(alone)
    for key in setdiff(keys(alone), ["seconds"])
        @test isequal(told[2][key], alone[key])
    end
    @test told[4]["status"] == [1] && all(isnan, told[4]["report_pressure"])
    @test occursin("ensemble.jl", told[4]["stack"]) && told[2]["stack"] == ""
    @test split(whole["stack"], '\f')[4] == told[4]["stack"]
end

@testset "that a throw in the middle of a member says how far it came, and disturbs no other" begin
    g = Grid(12, 1, 10, 50.0, 100.0, 20.0; top = 1000.0)
    inputs = ensemble_case(; members = 3)
    fluids = Fluids()
    rock(m) = Rock(fill(0.25, 120), vec(inputs["permeability"][:, :, m]); edge_multiplier = 1e6)
    states = [State(hydrostatic_pressure(g, fluids), zeros(120)) for _ in 1:3]
    wells = [Well([56])]
    run(observe) = simulate_ensemble((m, pattern) -> Model(g, rock(m), fluids, wells, pattern), states, g, wells,
                                     Schedule([0.0], fill(0.01, 1, 1)), 0.0, 20DAY; report_times = [5DAY, 20DAY],
                                     observe = observe)
    free, _ = run((m, k, state, balance) -> nothing)
    results, reports = run((m, k, state, balance) -> m == 2 && k == 1 && error("boom"))
    @test [r.converged for r in reports] == [true, false, true]
    @test reports[2].reason == "boom" && occursin("test_ensemble.jl", reports[2].stack)
    @test reports[2].steps > 0 && reports[2].time == 5DAY       # the report is made before anything that follows
    @test results[1].pressure == free[1].pressure && results[3].pressure == free[3].pressure
end

@testset "that a member that takes longer than its limit fails with that reason, and the others are as without it" begin
    inputs = ensemble_case(; members = 3)
    free = run_case(inputs)
    inputs["member_time_limit"] = 3600.0
    @test run_case(inputs)["pressure"] == free["pressure"]
    inputs["member_time_limit"] = 0.0
    none = run_case(inputs)
    @test none["status"] == [1, 1, 1] && none["steps"] == [0, 0, 0] && all(isnan, none["pressure"])
    @test all(occursin.("longer than the limit of 0.0 s", split(none["reason"], '\n')))
    @test_throws ArgumentError run_case(merge(inputs, Dict("member_time_limit" => -1.0)))
    # a hundred days in steps of a second would take hours; a busy machine may stand still for half a second
    inputs = ensemble_case(; members = 1)
    inputs["step_maximum"] = 1.0
    stopped, limit = none, 0.0
    for outer limit in (0.5, 2.0, 8.0)
        inputs["member_time_limit"] = limit
        stopped = run_case(inputs)
        stopped["steps"][1] > 0 && break
    end
    @test stopped["status"] == [1] && stopped["steps"][1] > 0 && 0 < stopped["final_time"][1] < 100DAY
    @test occursin("limit of $limit s: reached t = ", stopped["reason"])
end

# the message of the error that a change of the case brings; nothing is simulated before
function refusal(change!)
    inputs = ensemble_case(; members = 2)
    change!(inputs)
    inputs["progress"] = tempname()                             # would exist as soon as a member is done
    message = try
        run_case(inputs)
        ""
    catch err
        @test err isa ArgumentError
        sprint(showerror, err)
    end
    @test !isfile(inputs["progress"])
    return message
end

@testset "that what members share is refused before any step, with the name of the fault ($key, $name)" for (
        key, value, name) in (
    ("porosity", [0.1, 0.2], "porosity"), ("porosity", 0.0, "porosity"), ("porosity", NaN, "porosity"),
    ("porosity", fill(1.5, 10, 12), "porosity"), ("kv_over_kh", -1.0, "kv_over_kh"),
    ("ky_over_kx", NaN, "ky_over_kx"), ("kv_over_kh", ones(12, 10), "kv_over_kh"),
    ("pore_volume_multiplier", zeros(10, 12), "pore_volume_multiplier"), ("active", zeros(UInt8, 10, 12), "active"),
    ("active", ones(UInt8, 10, 11), "active"), ("edge_multiplier", 0.5, "edge_multiplier"),
    ("active", UInt8[!(ix == 6) for iz in 1:10, ix in 1:12], "well 1 is open"),
    ("well_cells", Int64[12 5; 0 0; 6 7], "well_cells"), ("well_cells", Int64[5 5; 0 0; 6 -1], "well_cells"),
    ("well_of_cell", Int64[0, 1], "well_of_cell"), ("well_radius", [-0.1], "radius"),
    ("well_pressure_limit", [0.0], "pressure_limit"), ("schedule_rates", fill(-1.0, 1, 1), "rates"),
    ("schedule_rates", fill(NaN, 1, 1), "rates"), ("schedule_rates", fill(Inf, 1, 1), "pressure_limit"),
    ("schedule_rates", ones(1, 2), "schedule_rates"), ("schedule_times", [NaN], "schedule_times"),
    ("source_cells", Int64[12 0 1]', "source_cells"), ("step_ends", [2.0, 1.0], "step_ends"),
    ("report_times", [0.0, DAY], "report_times"), ("report_times", [200DAY], "report_times"),
    ("report_times", [2DAY, DAY], "report_times"), ("stop", 0.0, "stop"), ("start", NaN, "start"),
    ("step_cut", 1.0, "cut"), ("step_tolerance_mass", [1e-9, 0.0], "tolerance_mass"),
    ("co2_residual", 0.95, "residual"), ("relative_permeability", "magic", "relative_permeability"),
    ("capillarity", "magic", "capillarity"), ("solver", "magic", "solver"), ("linear_tolerance", 2.0, "tolerance"),
    ("brine_density_law", "cubic", "cubic"), ("pressure", zeros(10, 12, 4), "members"),
    ("saturation", zeros(12, 10, 2), "saturation"), ("permeability", ones(7), "permeability"))
    @test occursin(name, refusal(inputs -> inputs[key] = value))
end

@testset "that a source in an inactive cell is refused" begin
    message = refusal() do inputs
        inputs["active"] = UInt8[!(ix == 2 && iz == 3) for iz in 1:10, ix in 1:12]
        merge!(inputs, Dict("source_cells" => Int64[1 0 2]', "source_times" => [0.0], "source_co2" => ones(1, 1)))
    end
    @test occursin("source_cells", message) && occursin("inactive", message)
end

@testset "that a member's own bad values fail this member only ($key = $value)" for (key, value) in (
        ("permeability", 0.0), ("permeability", -1e-13), ("permeability", Inf), ("porosity", 0.0), ("porosity", NaN),
        ("saturation", -0.01), ("saturation", 0.95), ("saturation", NaN), ("pressure", NaN),
        ("maximum_saturation", 0.95))
    inputs = ensemble_case(; members = 2)
    inputs["stop"] = DAY
    inputs["porosity"] = fill(0.25, 10, 12, 2)
    inputs["maximum_saturation"] = zeros(10, 12, 2)
    inputs[key][4, 3, 2] = value                                # residual brine is 0.1
    outputs = run_case(inputs)
    @test outputs["status"] == [0, 1] && outputs["history_count"][2] == 0
    @test occursin(key, split(outputs["reason"], '\n')[2])
    # where the cell takes no part its rock is not looked at
    inputs["active"] = UInt8[!(iz == 4 && ix == 3) for iz in 1:10, ix in 1:12]
    @test run_case(inputs)["status"] == [0, 0]
end

@testset "that brine squeezed a little below its residual is no error of the start" begin
    inputs = ensemble_case(; members = 1)
    inputs["stop"] = DAY
    inputs["rock_compressibility"] = 1e-9
    inputs["saturation"][4, 3, 1] = 0.9 + 5e-4                  # 50 bar widen the pores by 0.5 %, a tenth of it brine
    @test run_case(inputs)["status"] == [0]
end
