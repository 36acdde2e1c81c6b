# Solvers of J δ = −R. A solver is a small description; `workspace` makes its storage, `reset!` forgets everything of
# earlier members, and `solve!(δ, workspace, system)` returns (solved, iterations).

"""
    DirectSolver()

UMFPACK on the whole system, its symbolic analysis done once per member: the slowest here at any size, and the judge of
the others.
"""
struct DirectSolver end

"""
    CPRSolver(; tolerance = 1e-3, restart = 40, iterations = 100, renew = 4, refresh = 8)

GMRES with the two-stage preconditioner "constrained pressure residual": one multigrid cycle ([`AMG`](@ref)) on a
pressure equation, then block-ILU(0) ([`BlockILU`](@ref)) of the whole system on what is left. Wallis (1983),
doi:10.2118/12265-MS; the pressure equation is the sum of both volume balances, in which the accumulation of saturation
cancels (Lacroix et al. 2001).

The hierarchy of the pressure equation is kept from one Newton iteration (and step) to the next. While it ages, GMRES
takes more iterations than it did at best: when these add up to `renew`, about what it costs, the matrices of the
hierarchy are computed anew; when a single solution takes more than `refresh`, and more than twice those of the first,
coarse points and interpolation are, too. `tolerance` is relative to the residual's 2-norm.
"""
struct CPRSolver
    tolerance::Float64
    restart::Int
    iterations::Int
    renew::Int
    refresh::Int
end

CPRSolver(; tolerance = 1e-3, restart = 40, iterations = 100, renew = 4, refresh = 8) =
    CPRSolver(tolerance, restart, iterations, renew, refresh)

"""
    AutoSolver(; tolerance = 1e-3)

[`CPRSolver`](@ref), and [`DirectSolver`](@ref) for the systems on which it does not converge, where that is affordable:
in two dimensions up to $(2^16) cells, in three up to $(2^13).
"""
struct AutoSolver
    iterative::CPRSolver
end

AutoSolver(; tolerance = 1e-3) = AutoSolver(CPRSolver(; tolerance = tolerance))

# Julia's interface to UMFPACK keeps its control and info arrays in globals up to version 1.8.
const UMFPACK_LOCK = ReentrantLock()

# --- direct -----------------------------------------------------------------------------------------------------------

"Storage of the direct solver: the matrix by columns, and where each of its entries stands in the blocks."
mutable struct DirectWorkspace{F}
    matrix::SparseMatrixCSC{Float64,Int}
    source::Vector{Int}
    right_hand_side::Vector{Float64}
    factors::F
    fresh::Bool
end

"The blocks of a pattern as a scalar sparse matrix, each entry the linear index of its place in `System.blocks`."
function block_indices(pattern::Pattern)
    rows, cols, source = Int[], Int[], Int[]
    for i in 1:ncells(pattern), q in pattern.rowptr[i]:(pattern.rowptr[i+1]-1), b in 1:4
        push!(rows, 2i - (b % 2))
        push!(cols, 2pattern.colind[q] - (b <= 2))
        push!(source, 4(q - 1) + b)
    end
    return sparse(rows, cols, source)
end

function workspace(::DirectSolver, pattern::Pattern)
    index = block_indices(pattern)
    n = size(index, 1)
    matrix = SparseMatrixCSC(n, n, index.colptr, index.rowval, ones(length(index.nzval)))
    factors = lu(sparse(1.0I, n, n))
    return DirectWorkspace{typeof(factors)}(matrix, index.nzval, zeros(n), factors, false)
end

reset!(ws::DirectWorkspace) = (ws.fresh = false; nothing)

function solve!(δ::Vector{Float64}, ws::DirectWorkspace, sys::System)
    @inbounds for k in eachindex(ws.source)
        ws.matrix.nzval[k] = sys.blocks[ws.source[k]]
    end
    @. ws.right_hand_side = -sys.residual
    lock(UMFPACK_LOCK)
    try
        if ws.fresh
            lu!(ws.factors, ws.matrix)
        else
            ws.factors = lu(ws.matrix)
            ws.fresh = true
        end
        ldiv!(δ, ws.factors, ws.right_hand_side)
    catch err
        err isa SingularException || rethrow()
        ws.fresh = false
        return false, 1
    finally
        unlock(UMFPACK_LOCK)
    end
    return all(isfinite, δ), 1
end

# --- iterative --------------------------------------------------------------------------------------------------------

"Storage of GMRES and of both stages of its preconditioner."
mutable struct CPRWorkspace
    solver::CPRSolver
    pattern::Pattern
    pressure_values::Vector{Float32}
    pressure::AMG
    smoother::BlockILU
    krylov::Krylov
    right_hand_side::Vector{Float64}
    stale::Bool                   # the hierarchy is to be made
    first::Int                    # GMRES iterations: of the first solution with it, ...
    best::Int                     # ... the fewest since its matrices were computed, ...
    excess::Int                   # ... and those beyond `best`, of all solutions since
end

function workspace(solver::CPRSolver, pattern::Pattern)
    n = ncells(pattern)
    return CPRWorkspace(solver, pattern, zeros(Float32, length(pattern.colind)), AMG(pattern), BlockILU(pattern),
                        Krylov(2n, solver.restart), zeros(2n), true, 0, 0, 0)
end

reset!(ws::CPRWorkspace) = (ws.stale = true; nothing)

"A Jacobian with its preconditioner, as GMRES sees it."
struct PressureConstrained
    workspace::CPRWorkspace
    system::System
end

"y ← J x."
function multiply!(y::Vector{Float64}, problem::PressureConstrained, x::Vector{Float64})
    pattern, B = problem.workspace.pattern, problem.system.blocks
    @inbounds for i in eachindex(pattern.diagonal)
        y1, y2 = 0.0, 0.0
        for q in pattern.rowptr[i]:(pattern.rowptr[i+1]-1)
            k = pattern.colind[q]
            y1 += B[1, q] * x[2k-1] + B[3, q] * x[2k]
            y2 += B[2, q] * x[2k-1] + B[4, q] * x[2k]
        end
        y[2i-1], y[2i] = y1, y2
    end
    return nothing
end

"x ← M⁻¹ x: pressure first, then the smoother on what is left."
function precondition!(x::Vector{Float64}, problem::PressureConstrained)
    ws, W = problem.workspace, problem.system.weights
    r = right_hand_side(ws.pressure)
    @inbounds for i in eachindex(r)
        r[i] = W[1, i] * x[2i-1] + W[2, i] * x[2i]
    end
    cycle!(ws.pressure)
    correct!(x, ws.smoother, solution(ws.pressure))
    return nothing
end

"Make the preconditioner for the Jacobian in `sys`. False when a factorisation breaks down."
function prepare!(ws::CPRWorkspace, sys::System)
    if ws.stale
        setup!(ws.pressure, pressure_values!(ws, sys)) || return false
        ws.first = ws.best = typemax(Int)
    elseif ws.excess >= ws.solver.renew
        renew!(ws.pressure, pressure_values!(ws, sys)) || return false
        ws.best = typemax(Int)
    end
    return factorize!(ws.smoother, sys.blocks)
end

function pressure_values!(ws::CPRWorkspace, sys::System)
    pattern, B, W, A = ws.pattern, sys.blocks, sys.weights, ws.pressure_values
    @inbounds for i in eachindex(pattern.diagonal), q in pattern.rowptr[i]:(pattern.rowptr[i+1]-1)
        A[q] = W[1, i] * B[1, q] + W[2, i] * B[2, q]
    end
    return A
end

# What a solution with so many iterations says of the age of the hierarchy.
function remember!(ws::CPRWorkspace, iterations::Int)
    if ws.best == typemax(Int)                           # the first one with these matrices
        ws.first == typemax(Int) && (ws.first = iterations)
        ws.excess = 0
    end
    ws.best = min(ws.best, iterations)
    ws.excess += iterations - ws.best
    return nothing
end

function solve!(δ::Vector{Float64}, ws::CPRWorkspace, sys::System)
    @. ws.right_hand_side = -sys.residual
    # numbers too small for single precision would each take a hundred times the time
    slow = get_zero_subnormals()
    set_zero_subnormals(true)
    try
        kept = !ws.stale
        solved, iterations = attempt!(δ, ws, sys)
        if !solved && kept                               # the hierarchy may be too old: once more with a new one
            ws.stale = true
            solved, more = attempt!(δ, ws, sys)
            iterations += more
        end
        return solved, iterations
    finally
        set_zero_subnormals(slow)
    end
end

function attempt!(δ, ws::CPRWorkspace, sys::System)
    ready = prepare!(ws, sys)
    ws.stale = !ready
    ready || return false, 0
    solved, iterations = gmres!(δ, ws.krylov, PressureConstrained(ws, sys), ws.right_hand_side, ws.solver.tolerance,
                                ws.solver.iterations)
    remember!(ws, iterations)
    ws.stale = !solved || iterations > max(ws.solver.refresh, 2 * ws.first)
    return solved, iterations
end

# --- both -------------------------------------------------------------------------------------------------------------

"Storage of both; that of the direct solver is made when it is first needed."
mutable struct AutoWorkspace
    iterative::CPRWorkspace
    pattern::Pattern
    affordable::Bool
    direct::Union{Nothing,DirectWorkspace}
end

function workspace(solver::AutoSolver, pattern::Pattern)
    limit = length(unique(pattern.axis)) > 2 ? 2^13 : 2^16
    return AutoWorkspace(workspace(solver.iterative, pattern), pattern, ncells(pattern) <= limit, nothing)
end

function reset!(ws::AutoWorkspace)
    reset!(ws.iterative)
    ws.direct === nothing || reset!(ws.direct)
    return nothing
end

function solve!(δ::Vector{Float64}, ws::AutoWorkspace, sys::System)
    solved, iterations = solve!(δ, ws.iterative, sys)
    (solved || !ws.affordable || !all(isfinite, sys.residual)) && return solved, iterations
    ws.direct === nothing && (ws.direct = workspace(DirectSolver(), ws.pattern))
    solved, more = solve!(δ, ws.direct::DirectWorkspace, sys)
    return solved, iterations + more
end
