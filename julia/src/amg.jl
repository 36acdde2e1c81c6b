# Algebraic multigrid for the pressure equation: a V-cycle on a hierarchy of ever smaller matrices,
#
#   A_{l+1} = Pᵀ A_l P,
#
# with coarse points chosen by the first pass of Ruge and Stüben (1987, Algebraic multigrid, in McCormick (ed.),
# Multigrid Methods, SIAM, section 4.6), classical interpolation, one forward Gauss–Seidel sweep on the way down and one
# backward on the way up, and the inverse of the smallest matrix. Cells that nobody couples to strongly (inactive ones,
# or the huge ones of an aquifer) are left to the sweeps. In single precision: it is a preconditioner.
#
# Vectors keep their memory from one set-up to the next.

const STRONG = 0.25f0          # j is strong for i where −a_ij ≥ STRONG max_k(−a_ik)
const ISOLATED = 0.1f0         # rows whose off-diagonal entries sum up to less than this share of the diagonal
const TRUNCATION = 0.2f0       # interpolation weights below this share of the row's largest are dropped
const SMALLEST = 64          # unknowns of the matrix that is inverted
const MAX_LEVELS = 20

"Rows of a sparse matrix: columns ascending, `diagonal` the position of a_ii in each."
struct Rows
    ptr::Vector{Int32}
    col::Vector{Int32}
    diagonal::Vector{Int32}
    value::Vector{Float32}
end

Rows() = Rows(Int32[1], Int32[], Int32[], Float32[])

"""
One level: its matrix A, the interpolation P from the next one (rows `p_ptr`, `p_col`, `p_value`) and its transpose
(`t_ptr`, fine rows `t_row`, positions `t_position` in P), the product A P, and vectors for a cycle.
"""
struct Level
    matrix::Rows
    inverse::Vector{Float32}              # of the diagonal
    p_ptr::Vector{Int32}
    p_col::Vector{Int32}
    p_value::Vector{Float32}
    t_ptr::Vector{Int32}
    t_row::Vector{Int32}
    t_position::Vector{Int32}
    ap_ptr::Vector{Int32}
    ap_col::Vector{Int32}
    ap_value::Vector{Float32}
    x::Vector{Float32}
    b::Vector{Float32}
end

Level() = Level(Rows(), Float32[], Int32[1], Int32[], Float32[], Int32[1], Int32[], Int32[], Int32[1], Int32[],
                Float32[], Float32[], Float32[])

size_of(level::Level) = length(level.matrix.diagonal)

"Scratch of the set-up, as long as the finest level."
struct Scratch
    strong::Vector{Bool}                  # per entry of the matrix
    influence_ptr::Vector{Int32}          # transpose of the strong entries
    influence_row::Vector{Int32}
    kind::Vector{Int32}                   # number of the coarse point > 0, FINE, LONELY or UNDECIDED
    measure::Vector{Int32}
    following::Vector{Int32}              # doubly linked lists of undecided points with equal measure
    previous::Vector{Int32}
    first::Vector{Int32}
    mark::Vector{Int32}
    weight::Vector{Float32}
end

Scratch() = Scratch(Bool[], Int32[], Int32[], Int32[], Int32[], Int32[], Int32[], Int32[], Int32[], Float32[])

const UNDECIDED, FINE, LONELY = Int32(0), Int32(-1), Int32(-2)

"""
    AMG(pattern)

Storage of a multigrid hierarchy for scalar matrices with the structure of `pattern`.
"""
mutable struct AMG
    levels::Vector{Level}
    depth::Int                            # levels in use
    coarsest::Matrix{Float32}             # inverse of the smallest matrix
    scratch::Scratch
end

function AMG(pattern::Pattern)
    fine = Level()
    append!(empty!(fine.matrix.ptr), pattern.rowptr)
    append!(fine.matrix.col, pattern.colind)
    append!(fine.matrix.diagonal, pattern.diagonal)
    resize!(fine.matrix.value, length(pattern.colind))
    return AMG([fine], 1, zeros(Float32, 0, 0), Scratch())
end

"Make the hierarchy for the matrix with these `values`, in the order of the pattern. False when that is impossible."
function setup!(amg::AMG, values::AbstractVector)
    copyto!(amg.levels[1].matrix.value, values)
    amg.depth = 1
    while true
        level = amg.levels[amg.depth]
        invert_diagonal!(level) || return false
        n = size_of(level)
        (n <= SMALLEST || amg.depth == MAX_LEVELS) && break
        coarse = split!(amg.scratch, level.matrix)
        (0 < coarse < 0.9 * n) || break
        interpolate!(level, amg.scratch, coarse)
        amg.depth == length(amg.levels) && push!(amg.levels, Level())
        next = amg.levels[amg.depth+1]
        multiply_symbolic!(level, amg.scratch, coarse)
        galerkin_symbolic!(next, level, amg.scratch, coarse)
        galerkin!(next, level, amg.scratch)
        amg.depth += 1
    end
    return invert_coarsest!(amg)
end

"""
    renew!(amg, values)

The same hierarchy for other values: coarse points and interpolation stay, the coarse matrices are computed anew. A
sixth of the time of [`setup!`](@ref), and nearly as good while coefficients change in some of the cells only. False
when that is impossible.
"""
function renew!(amg::AMG, values::AbstractVector)
    copyto!(amg.levels[1].matrix.value, values)
    invert_diagonal!(amg.levels[1]) || return false
    for l in 1:(amg.depth-1)
        galerkin!(amg.levels[l+1], amg.levels[l], amg.scratch)
        invert_diagonal!(amg.levels[l+1]) || return false
    end
    return invert_coarsest!(amg)
end

function invert_diagonal!(level::Level)
    A = level.matrix
    n = length(A.diagonal)
    for v in (level.inverse, level.x, level.b)
        resize!(v, n)
    end
    @inbounds for i in 1:n
        a = A.value[A.diagonal[i]]
        (isfinite(a) && a != 0) || return false
        level.inverse[i] = 1 / a
    end
    return true
end

function invert_coarsest!(amg::AMG)
    A = amg.levels[amg.depth].matrix
    n = length(A.diagonal)
    if n > 4 * SMALLEST                            # coarsening stalled: sweeps alone must do there
        amg.coarsest = zeros(Float32, 0, 0)
        return true
    end
    dense = zeros(n, n)
    for i in 1:n, q in A.ptr[i]:(A.ptr[i+1]-1)
        dense[i, A.col[q]] = A.value[q]
    end
    factors = lu!(dense; check = false)
    issuccess(factors) || return false
    amg.coarsest = Float32.(inv(factors))
    return all(isfinite, amg.coarsest)
end

# --- the cycle --------------------------------------------------------------------------------------------------------

"Right-hand side and solution of the finest level: fill the one, call `cycle!`, read the other."
right_hand_side(amg::AMG) = amg.levels[1].b
solution(amg::AMG) = amg.levels[1].x

"One V-cycle for A x = b from x = 0."
cycle!(amg::AMG) = cycle!(amg, 1)

function cycle!(amg::AMG, l::Int)
    level = amg.levels[l]
    if l == amg.depth
        return solve_coarsest!(amg, level)
    end
    next = amg.levels[l+1]
    descend!(level, next.b)
    cycle!(amg, l + 1)
    ascend!(level, next.x)
    return nothing
end

function solve_coarsest!(amg::AMG, level::Level)
    if isempty(amg.coarsest)
        sweep_forward!(level)
        sweep_backward!(level)
    else
        mul!(level.x, amg.coarsest, level.b)
    end
    return nothing
end

# Forward sweep from x = 0: (L + D) x = b, so that the residual is −U x.
function sweep_forward!(level::Level)
    A, x, b = level.matrix, level.x, level.b
    @inbounds for i in eachindex(A.diagonal)
        value = b[i]
        for q in A.ptr[i]:(A.diagonal[i]-1)
            value -= A.value[q] * x[A.col[q]]
        end
        x[i] = value * level.inverse[i]
    end
    return nothing
end

function descend!(level::Level, coarse::Vector{Float32})
    sweep_forward!(level)
    A, x = level.matrix, level.x
    fill!(coarse, 0.0f0)
    @inbounds for i in eachindex(A.diagonal)
        p = level.p_ptr[i]:(level.p_ptr[i+1]-1)
        isempty(p) && continue
        residual = 0.0f0
        for q in (A.diagonal[i]+1):(A.ptr[i+1]-1)
            residual -= A.value[q] * x[A.col[q]]
        end
        for r in p
            coarse[level.p_col[r]] += level.p_value[r] * residual
        end
    end
    return nothing
end

function ascend!(level::Level, coarse::Vector{Float32})
    x = level.x
    @inbounds for i in eachindex(x)
        value = x[i]
        for r in level.p_ptr[i]:(level.p_ptr[i+1]-1)
            value += level.p_value[r] * coarse[level.p_col[r]]
        end
        x[i] = value
    end
    sweep_backward!(level)
    return nothing
end

function sweep_backward!(level::Level)
    A, x, b = level.matrix, level.x, level.b
    @inbounds for i in length(A.diagonal):-1:1
        value = b[i]
        d = A.diagonal[i]
        for q in A.ptr[i]:(d-1)
            value -= A.value[q] * x[A.col[q]]
        end
        for q in (d+1):(A.ptr[i+1]-1)
            value -= A.value[q] * x[A.col[q]]
        end
        x[i] = value * level.inverse[i]
    end
    return nothing
end
