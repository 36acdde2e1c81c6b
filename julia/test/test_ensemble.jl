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

@testset "that wrong cases are refused with the name of the fault" begin
    refused(change!, text) = (inputs = ensemble_case(); change!(inputs);
                              occursin(text, try run_case(inputs); "" catch err; sprint(showerror, err) end))
    @test refused(d -> d["porosity"] = [0.1, 0.2], "porosity")
    @test refused(d -> d["well_cells"] = Int64[12 5; 0 0; 6 7], "well_cells")
    @test refused(d -> d["schedule_rates"] = fill(-1.0, 1, 1), "rates")
    @test refused(d -> d["solver"] = "magic", "solver")
    @test refused(d -> d["co2_residual"] = 0.95, "residual")
    @test refused(d -> d["pressure"] = zeros(10, 12, 4), "members")
end
