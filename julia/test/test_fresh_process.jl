# Assembly in a process in which nothing was compiled before, as in a worker: what the other tests have compiled already
# hides what the package's cache does to calls into Base (see warmup.jl).

@testset "that assembly allocates nothing in a fresh process" begin
    project, script = dirname(@__DIR__), joinpath(@__DIR__, "fresh_process.jl")
    lines = readlines(`$(Base.julia_cmd()) --startup-file=no --project=$project $script`)
    @test parse.(Int, lines) == [0, 0, 0, 0]
end
