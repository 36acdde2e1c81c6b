# LU factorisation of a scalar matrix on the cells, A = L U without pivoting, for matrices with symmetric structure and
# a strong diagonal (pressure systems). The symbolic part is computed once and shared by all members and threads; unlike
# UMFPACK's it does not depend on values, so a member's result does not depend on which members ran before it.

"""
    SymbolicLU(pattern, order)

Structure of the factors of a matrix with the sparsity of `pattern`, its cells eliminated in `order`.
Row i of L and row i of U are lists of columns in the new numbering; `source` says where A's entries come from.
Liu (1990), The role of elimination trees in sparse factorization.
"""
struct SymbolicLU
    order::Vector{Int}
    lower_ptr::Vector{Int}
    lower_col::Vector{Int32}
    upper_ptr::Vector{Int}
    upper_col::Vector{Int32}
    source_ptr::Vector{Int}
    source_col::Vector{Int32}     # new column ...
    source_pos::Vector{Int}       # ... and position in the pattern
end

function SymbolicLU(pattern::Pattern, order::Vector{Int})
    n = length(order)
    rank = invperm(order)
    lower = [Int32[] for _ in 1:n]
    upper_count = zeros(Int, n)
    parent, ancestor, mark = zeros(Int, n), zeros(Int, n), zeros(Int, n)
    source_ptr, source_col, source_pos = Int[1], Int32[], Int[]
    for i in 1:n
        for k in pattern.rowptr[order[i]]:(pattern.rowptr[order[i]+1]-1)
            j = rank[pattern.colind[k]]
            push!(source_col, j)
            push!(source_pos, k)
            while j != 0 && j < i                       # elimination tree, with path compression
                next = ancestor[j]
                ancestor[j] = i
                if next == 0
                    parent[j] = i
                    break
                end
                next == i && break
                j = next
            end
        end
        push!(source_ptr, length(source_col) + 1)
        mark[i] = i
        for q in source_ptr[i]:(source_ptr[i+1]-1)
            j = Int(source_col[q])
            while j < i && mark[j] != i                 # row i of L: all of the tree between A's entries and i
                push!(lower[i], j)
                upper_count[j] += 1
                mark[j] = i
                j = parent[j]
            end
        end
        sort!(lower[i])
    end
    lower_ptr = cumsum(vcat(1, length.(lower)))
    upper_ptr = cumsum(vcat(1, upper_count))
    upper_col = Vector{Int32}(undef, upper_ptr[end] - 1)
    next = copy(upper_ptr)
    for i in 1:n, k in lower[i]
        upper_col[next[k]] = i
        next[k] += 1
    end
    return SymbolicLU(order, lower_ptr, reduce(vcat, lower), upper_ptr, upper_col, source_ptr, source_col, source_pos)
end

"Numerical factors on a [`SymbolicLU`](@ref)."
struct NumericLU
    symbolic::SymbolicLU
    lower::Vector{Float64}
    upper::Vector{Float64}
    inverse_diagonal::Vector{Float64}
    work::Vector{Float64}
end

function NumericLU(s::SymbolicLU)
    n = length(s.order)
    return NumericLU(s, zeros(length(s.lower_col)), zeros(length(s.upper_col)), zeros(n), zeros(n))
end

"Factorise the matrix whose entries stand in `values` in the order of the pattern. False when a pivot vanishes."
function factorize!(F::NumericLU, values::Vector{Float64})
    s, w = F.symbolic, F.work
    lower, upper, inverse = F.lower, F.upper, F.inverse_diagonal
    @inbounds for i in eachindex(s.order)
        for q in s.source_ptr[i]:(s.source_ptr[i+1]-1)
            w[s.source_col[q]] = values[s.source_pos[q]]
        end
        for q in s.lower_ptr[i]:(s.lower_ptr[i+1]-1)
            k = s.lower_col[q]
            factor = w[k] * inverse[k]
            w[k] = 0.0
            lower[q] = factor
            @simd ivdep for r in s.upper_ptr[k]:(s.upper_ptr[k+1]-1)
                w[s.upper_col[r]] -= factor * upper[r]
            end
        end
        pivot = w[i]
        w[i] = 0.0
        for r in s.upper_ptr[i]:(s.upper_ptr[i+1]-1)
            upper[r] = w[s.upper_col[r]]
            w[s.upper_col[r]] = 0.0
        end
        if !(abs(pivot) > 0 && isfinite(pivot))
            fill!(w, 0.0)
            return false
        end
        inverse[i] = 1 / pivot
    end
    return true
end

"Solve A x = b with the factors."
function solve!(x::Vector{Float64}, F::NumericLU, b::Vector{Float64})
    s, y = F.symbolic, F.work
    @inbounds for i in eachindex(s.order)
        value = b[s.order[i]]
        for q in s.lower_ptr[i]:(s.lower_ptr[i+1]-1)
            value -= F.lower[q] * y[s.lower_col[q]]
        end
        y[i] = value
    end
    @inbounds for i in length(s.order):-1:1
        value = y[i]
        for r in s.upper_ptr[i]:(s.upper_ptr[i+1]-1)
            value -= F.upper[r] * y[s.upper_col[r]]
        end
        value *= F.inverse_diagonal[i]
        y[i] = value
        x[s.order[i]] = value
    end
    fill!(y, 0.0)
    return nothing
end
