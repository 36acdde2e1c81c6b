"""
    BlockILU(pattern)

Incomplete LU factorisation of the block matrix within its own sparsity, in the order of the cells: with z fastest it is
exact along columns, where the coupling is strongest in thin layers. Saad (2003), Iterative methods, algorithm 10.4.
"""
struct BlockILU
    pattern::Pattern
    blocks::Matrix{Float64}
    inverse::Matrix{Float64}      # inverses of the diagonal blocks
    position::Vector{Int}
end

BlockILU(pattern::Pattern) =
    BlockILU(pattern, zeros(4, length(pattern.colind)), zeros(4, ncells(pattern)), zeros(Int, ncells(pattern)))

# Blocks are (b1 b3; b2 b4), by columns.
@inline multiply(a1, a2, a3, a4, b1, b2, b3, b4) =
    (a1 * b1 + a3 * b2, a2 * b1 + a4 * b2, a1 * b3 + a3 * b4, a2 * b3 + a4 * b4)

"Factorise. False when a diagonal block is singular."
function factorize!(F::BlockILU, blocks::Matrix{Float64})
    pattern, B, D, position = F.pattern, F.blocks, F.inverse, F.position
    rowptr, colind, diagonal = pattern.rowptr, pattern.colind, pattern.diagonal
    copyto!(B, blocks)
    @inbounds for i in eachindex(diagonal)
        for q in rowptr[i]:(rowptr[i+1]-1)
            position[colind[q]] = q
        end
        for q in rowptr[i]:(diagonal[i]-1)
            k = colind[q]
            l1, l2, l3, l4 = multiply(B[1, q], B[2, q], B[3, q], B[4, q], D[1, k], D[2, k], D[3, k], D[4, k])
            B[1, q], B[2, q], B[3, q], B[4, q] = l1, l2, l3, l4
            for r in (diagonal[k]+1):(rowptr[k+1]-1)
                t = position[colind[r]]
                t == 0 && continue
                u1, u2, u3, u4 = multiply(l1, l2, l3, l4, B[1, r], B[2, r], B[3, r], B[4, r])
                B[1, t] -= u1
                B[2, t] -= u2
                B[3, t] -= u3
                B[4, t] -= u4
            end
        end
        for q in rowptr[i]:(rowptr[i+1]-1)
            position[colind[q]] = 0
        end
        d = diagonal[i]
        determinant = B[1, d] * B[4, d] - B[2, d] * B[3, d]
        (isfinite(determinant) && determinant != 0) || return false
        D[1, i] = B[4, d] / determinant
        D[2, i] = -B[2, d] / determinant
        D[3, i] = -B[3, d] / determinant
        D[4, i] = B[1, d] / determinant
    end
    return true
end

"x ← (LU)⁻¹ x."
function solve!(F::BlockILU, x::Vector{Float64})
    rowptr, colind, diagonal, B, D = F.pattern.rowptr, F.pattern.colind, F.pattern.diagonal, F.blocks, F.inverse
    n = length(diagonal)
    @inbounds for i in 1:n
        x1, x2 = x[2i-1], x[2i]
        for q in rowptr[i]:(diagonal[i]-1)
            k = colind[q]
            x1 -= B[1, q] * x[2k-1] + B[3, q] * x[2k]
            x2 -= B[2, q] * x[2k-1] + B[4, q] * x[2k]
        end
        x[2i-1], x[2i] = x1, x2
    end
    @inbounds for i in n:-1:1
        x1, x2 = x[2i-1], x[2i]
        for q in (diagonal[i]+1):(rowptr[i+1]-1)
            k = colind[q]
            x1 -= B[1, q] * x[2k-1] + B[3, q] * x[2k]
            x2 -= B[2, q] * x[2k-1] + B[4, q] * x[2k]
        end
        x[2i-1] = D[1, i] * x1 + D[3, i] * x2
        x[2i] = D[2, i] * x1 + D[4, i] * x2
    end
    return nothing
end
