using LinearAlgebra
using Random
using SparseArrays
using Test
using TwoPhaseFlow
using TwoPhaseFlow: Model, Pattern, cell_depth, cell_index, cell_volume, masses, ncells, well_index

const DAY = 86400.0
const YEAR = 365.25 * DAY

# What did not pass is said once more at the end, where the table of all the tests does not hide it.
try
    @testset "TwoPhaseFlow" begin
        include("test_model.jl")
        include("test_curves.jl")
        include("test_jacobian.jl")
        include("test_fresh_process.jl")
        include("test_hydrostatic.jl")
        include("test_buckley_leverett.jl")
        include("test_convergence.jl")
        include("test_segregation.jl")
        include("test_mass_balance.jl")
        include("test_wells.jl")
        include("test_line_source.jl")
        include("test_sources.jl")
        include("test_inactive_cells.jl")
        include("test_linear_solvers.jl")
        include("test_local_newton.jl")
        include("test_ensemble.jl")
        include("test_steps.jl")
        include("test_trapping.jl")
        include("test_server.jl")
    end
catch err
    err isa Test.TestSetException || rethrow()
    println("\nDid not pass:")
    foreach(failure -> println(failure, '\n'), err.errors_and_fails)
    exit(1)
end
