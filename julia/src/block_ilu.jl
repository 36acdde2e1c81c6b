"""
    BlockILU(pattern)

Incomplete LU factorisation of the block matrix A = L + D_A + U that changes the diagonal blocks only,

    M = (D + L) D⁻¹ (D + U),   D_i = A_ii − Σ_{k<i} A_ik D_k⁻¹ A_ki,

in the order of the cells. On the stencil of a Cartesian grid, where no two neighbours of a cell are neighbours of each
other, this is ILU(0) itself (Saad 2003, Iterative methods, section 10.3.2); only the blocks between distant
perforations of a well make a difference. With z fastest it is exact along columns, where the coupling is strongest in
thin layers. The blocks are kept in single precision: it is a preconditioner, and its cost is the memory it reads.
"""
struct BlockILU
    ptr::Vector{Int32}
    col::Vector{Int32}
    diagonal::Vector{Int32}
    mirror::Vector{Int32}         # position of block (k, i) for block (i, k)
    blocks::Matrix{Float32}
    inverse::Matrix{Float32}      # D_i⁻¹
    z::Matrix{Float32}            # scratch: one column per cell
end

function BlockILU(pattern::Pattern)
    empty = BlockILU(Int32[], Int32[], Int32[], Int32[], zeros(Float32, 4, 0), zeros(Float32, 4, 0),
                     zeros(Float32, 2, 0))
    return BlockILU(empty, convert(Vector{Int32}, pattern.rowptr), convert(Vector{Int32}, pattern.colind),
                    convert(Vector{Int32}, pattern.diagonal))
end

"Storage for another structure (symmetric, columns ascending), in the memory of `old` where that is large enough."
function BlockILU(old::BlockILU, ptr::Vector{Int32}, col::Vector{Int32}, diagonal::Vector{Int32})
    n, entries = length(diagonal), length(col)
    mirror, next = resize!(old.mirror, entries), ptr[1:n]
    @inbounds for i in 1:n, q in ptr[i]:(ptr[i+1]-Int32(1))
        k = col[q]
        mirror[next[k]] = q
        next[k] += Int32(1)
    end
    # what has to grow will grow again
    room(array, columns) = size(array, 2) >= columns ? array :
        zeros(Float32, size(array, 1), isempty(array) ? columns : 2columns)
    return BlockILU(ptr, col, diagonal, mirror, room(old.blocks, entries), room(old.inverse, n), room(old.z, n))
end

# Blocks are (b1 b3; b2 b4), by columns.
@inline multiply(a1, a2, a3, a4, b1, b2, b3, b4) =
    (a1 * b1 + a3 * b2, a2 * b1 + a4 * b2, a1 * b3 + a3 * b4, a2 * b3 + a4 * b4)

"Factorise. False when a diagonal block is singular."
function factorize!(F::BlockILU, blocks::Matrix{Float64})
    B, D, ptr, col, mirror = F.blocks, F.inverse, F.ptr, F.col, F.mirror
    @inbounds for i in eachindex(F.diagonal)
        for q in ptr[i]:(ptr[i+1]-Int32(1))
            B[1, q], B[2, q], B[3, q], B[4, q] = blocks[1, q], blocks[2, q], blocks[3, q], blocks[4, q]
        end
        d = F.diagonal[i]
        d1, d2, d3, d4 = blocks[1, d], blocks[2, d], blocks[3, d], blocks[4, d]
        for q in ptr[i]:(d-Int32(1))
            k, t = col[q], mirror[q]
            l1, l2, l3, l4 = multiply(B[1, q], B[2, q], B[3, q], B[4, q], D[1, k], D[2, k], D[3, k], D[4, k])
            u1, u2, u3, u4 = multiply(l1, l2, l3, l4, B[1, t], B[2, t], B[3, t], B[4, t])
            d1 -= u1
            d2 -= u2
            d3 -= u3
            d4 -= u4
        end
        determinant = d1 * d4 - d2 * d3
        (isfinite(determinant) && determinant != 0) || return false
        D[1, i] = d4 / determinant
        D[2, i] = -d2 / determinant
        D[3, i] = -d3 / determinant
        D[4, i] = d1 / determinant
    end
    return true
end

"""
    correct!(x, F, δp)

x ← e + M⁻¹ (x − A e) with e = (δp, 0) in every cell: the second stage of CPR after a pressure correction δp, in one
pass over the matrix and one over its upper half.
"""
function correct!(x::Vector{Float64}, F::BlockILU, δp::Vector{Float32})
    ptr, col, diagonal, B, D, z = F.ptr, F.col, F.diagonal, F.blocks, F.inverse, F.z
    n = length(diagonal)
    @inbounds for i in 1:n
        r1, r2 = Float32(x[2i-1]), Float32(x[2i])
        d = diagonal[i]
        for q in d:(ptr[i+1]-Int32(1))
            e = δp[col[q]]
            r1 -= B[1, q] * e
            r2 -= B[2, q] * e
        end
        for q in ptr[i]:(d-Int32(1))                  # of the cells before, (δp, 0) + D⁻¹ y
            k = col[q]
            z1, z2 = z[1, k], z[2, k]
            r1 -= B[1, q] * z1 + B[3, q] * z2
            r2 -= B[2, q] * z1 + B[4, q] * z2
        end
        z[1, i] = D[1, i] * r1 + D[3, i] * r2 + δp[i]
        z[2, i] = D[2, i] * r1 + D[4, i] * r2
    end
    @inbounds for i in n:-1:1
        s1, s2 = 0.0f0, 0.0f0
        for q in (diagonal[i]+Int32(1)):(ptr[i+1]-Int32(1))
            k = col[q]
            z1, z2 = z[1, k] - δp[k], z[2, k]
            s1 += B[1, q] * z1 + B[3, q] * z2
            s2 += B[2, q] * z1 + B[4, q] * z2
        end
        z[1, i] -= D[1, i] * s1 + D[3, i] * s2
        z[2, i] -= D[2, i] * s1 + D[4, i] * s2
        x[2i-1], x[2i] = z[1, i], z[2, i]
    end
    return nothing
end
