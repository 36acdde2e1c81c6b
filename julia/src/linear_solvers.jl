# Solvers of J δ = −R. A solver is a small description; `workspace` makes its storage, `reset!` forgets everything of
# earlier members, and `solve!(δ, workspace, system)` returns (solved, iterations).

"""
    DirectSolver()

UMFPACK on the whole system: robust, and about ten times slower than [`CPRSolver`](@ref) on the grids used here.
"""
struct DirectSolver end

"""
    CPRSolver(; tolerance = 1e-4, restart = 40, iterations = 120, refresh = 8)

GMRES (Saad and Schultz 1986) with the two-stage preconditioner "constrained pressure residual": solve a pressure
equation, then smooth the whole system by block-ILU(0). Wallis (1983), doi:10.2118/12265-MS; the pressure equation is
the sum of both volume balances, in which the accumulation of saturation cancels (Lacroix et al. 2001).

The factors of the pressure equation are kept from one Newton iteration (and step) to the next, and renewed when GMRES
took more than `refresh` iterations. `tolerance` is relative to the residual's 2-norm.
"""
struct CPRSolver
    tolerance::Float64
    restart::Int
    iterations::Int
    refresh::Int
end

CPRSolver(; tolerance = 1e-4, restart = 40, iterations = 120, refresh = 8) =
    CPRSolver(tolerance, restart, iterations, refresh)

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

function workspace(::DirectSolver, pattern::Pattern, symbolic)
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
    pressure_values::Vector{Float64}
    pressure::NumericLU
    smoother::BlockILU
    pressure_residual::Vector{Float64}
    pressure_update::Vector{Float64}
    basis::Matrix{Float64}
    hessenberg::Matrix{Float64}
    rotations::Matrix{Float64}
    projected::Vector{Float64}
    vector::Vector{Float64}
    image::Vector{Float64}
    stale::Bool
end

function workspace(solver::CPRSolver, pattern::Pattern, symbolic::SymbolicLU)
    n, m = ncells(pattern), solver.restart
    return CPRWorkspace(
        solver, pattern, zeros(length(pattern.colind)), NumericLU(symbolic), BlockILU(pattern), zeros(n), zeros(n),
        zeros(2n, m + 1), zeros(m + 1, m), zeros(2, m), zeros(m + 1), zeros(2n), zeros(2n), true)
end

reset!(ws::CPRWorkspace) = (ws.stale = true; nothing)

"y ← J x."
function multiply!(y::Vector{Float64}, pattern::Pattern, B::Matrix{Float64}, x::Vector{Float64})
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

"Make the preconditioner for the Jacobian in `sys`. False when a factorisation breaks down."
function prepare!(ws::CPRWorkspace, sys::System)
    if ws.stale
        pattern, B, W, A = ws.pattern, sys.blocks, sys.weights, ws.pressure_values
        @inbounds for i in eachindex(pattern.diagonal), q in pattern.rowptr[i]:(pattern.rowptr[i+1]-1)
            A[q] = W[1, i] * B[1, q] + W[2, i] * B[2, q]
        end
        factorize!(ws.pressure, A) || return false
        ws.stale = false
    end
    return factorize!(ws.smoother, sys.blocks)
end

"x ← M⁻¹ x: pressure first, then the smoother on what is left."
function precondition!(x::Vector{Float64}, ws::CPRWorkspace, sys::System)
    pattern, B, W, r, δp = ws.pattern, sys.blocks, sys.weights, ws.pressure_residual, ws.pressure_update
    @inbounds for i in eachindex(r)
        r[i] = W[1, i] * x[2i-1] + W[2, i] * x[2i]
    end
    solve!(δp, ws.pressure, r)
    @inbounds for i in eachindex(r)
        x1, x2 = x[2i-1], x[2i]
        for q in pattern.rowptr[i]:(pattern.rowptr[i+1]-1)
            k = pattern.colind[q]
            x1 -= B[1, q] * δp[k]
            x2 -= B[2, q] * δp[k]
        end
        x[2i-1], x[2i] = x1, x2
    end
    solve!(ws.smoother, x)
    @inbounds for i in eachindex(r)
        x[2i-1] += δp[i]
    end
    return nothing
end

function solve!(δ::Vector{Float64}, ws::CPRWorkspace, sys::System)
    prepare!(ws, sys) || (ws.stale = true; return false, 0)
    solved, iterations = gmres!(δ, ws, sys)
    # kept pressure factors may be too old: once more with new ones
    if !solved && iterations > 0
        ws.stale = true
        prepare!(ws, sys) || (ws.stale = true; return false, iterations)
        solved, more = gmres!(δ, ws, sys)
        iterations += more
    end
    ws.stale = ws.stale || !solved || iterations > ws.solver.refresh
    return solved, iterations
end

# Right-preconditioned, so that the norm it watches is that of the true residual.
function gmres!(δ::Vector{Float64}, ws::CPRWorkspace, sys::System)
    V, H, G, g, x, y = ws.basis, ws.hessenberg, ws.rotations, ws.projected, ws.vector, ws.image
    fill!(δ, 0.0)
    @. y = -sys.residual
    norm_start = euclidean(y)
    isfinite(norm_start) || return false, 0
    norm_start == 0 && return true, 0
    target = ws.solver.tolerance * norm_start
    total = 0
    while true
        β = euclidean(y)
        β <= target && return true, total
        total >= ws.solver.iterations && return false, total
        fill!(g, 0.0)
        g[1] = β
        @inbounds for l in eachindex(y)
            V[l, 1] = y[l] / β
        end
        k = 0
        while k < ws.solver.restart && total < ws.solver.iterations && abs(g[k+1]) > target
            k += 1
            total += 1
            copyto!(x, 1, V, (k - 1) * length(x) + 1, length(x))
            precondition!(x, ws, sys)
            multiply!(y, ws.pattern, sys.blocks, x)
            orthogonalize!(y, V, H, k)
            isfinite(H[k+1, k]) || return false, total
            rotate!(H, G, g, k)
        end
        combine!(x, V, H, g, k)
        precondition!(x, ws, sys)
        δ .+= x
        multiply!(y, ws.pattern, sys.blocks, δ)
        @. y = -sys.residual - y
    end
end

# Not BLAS, whose sums may depend on its threads.
function euclidean(y)
    total = 0.0
    @inbounds @simd for l in eachindex(y)
        total += y[l] * y[l]
    end
    return sqrt(total)
end

# Gram–Schmidt against the first k basis vectors (modified), the remainder becoming vector k + 1.
function orthogonalize!(y, V, H, k)
    n = length(y)
    for j in 1:k
        h = 0.0
        @inbounds @simd for l in 1:n
            h += V[l, j] * y[l]
        end
        H[j, k] = h
        @inbounds @simd for l in 1:n
            y[l] -= h * V[l, j]
        end
    end
    H[k+1, k] = euclidean(y)
    scale = H[k+1, k] > 0 ? 1 / H[k+1, k] : 0.0
    @inbounds @simd for l in 1:n
        V[l, k+1] = scale * y[l]
    end
    return nothing
end

# Givens rotations keep the projected problem triangular; |g[k+1]| is then the residual norm.
function rotate!(H, G, g, k)
    for j in 1:(k-1)
        h = G[1, j] * H[j, k] + G[2, j] * H[j+1, k]
        H[j+1, k] = -G[2, j] * H[j, k] + G[1, j] * H[j+1, k]
        H[j, k] = h
    end
    r = hypot(H[k, k], H[k+1, k])
    G[1, k], G[2, k] = r > 0 ? (H[k, k] / r, H[k+1, k] / r) : (1.0, 0.0)
    H[k, k] = r
    H[k+1, k] = 0.0
    g[k+1] = -G[2, k] * g[k]
    g[k] = G[1, k] * g[k]
    return nothing
end

# x ← V (H \ g), the best combination of k basis vectors.
function combine!(x, V, H, g, k)
    for j in k:-1:1
        for l in (j+1):k
            g[j] -= H[j, l] * g[l]
        end
        g[j] /= H[j, j]
    end
    fill!(x, 0.0)
    for j in 1:k
        @inbounds @simd for l in eachindex(x)
            x[l] += g[j] * V[l, j]
        end
    end
    return nothing
end
