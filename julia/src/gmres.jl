# GMRES (Saad and Schultz 1986, doi:10.1137/0907058), restarted and right-preconditioned, so that the norm it watches is
# that of the true residual. It sees a problem through three functions: `multiply!(y, problem, x)`,
# `precondition!(x, problem)` and the right-hand side b.
#
# The preconditioned vectors z_j = M⁻¹ v_j are kept, x = Σ_j y_j z_j ("flexible" GMRES: Saad 1993, doi:10.1137/0914028): one
# application of M⁻¹ less per solution than x = M⁻¹ Σ_j y_j v_j, and what M⁻¹ rounds is accounted for. They are single
# precision, as M⁻¹ is.

"Storage of GMRES for problems of one size; basis vectors are made when they are first needed."
struct Krylov
    basis::Vector{Vector{Float64}}
    preconditioned::Vector{Vector{Float32}}
    hessenberg::Matrix{Float64}
    rotations::Matrix{Float64}
    projected::Vector{Float64}
    vector::Vector{Float64}
    image::Vector{Float64}
end

Krylov(length::Int, restart::Int) = Krylov([], [], zeros(restart + 1, restart), zeros(2, restart), zeros(restart + 1),
                                           zeros(length), zeros(length))

restart_length(K::Krylov) = size(K.rotations, 2)

"Change the size of the problems."
function Base.resize!(K::Krylov, length::Int)
    resize!(K.vector, length)
    resize!(K.image, length)
    for vectors in (K.basis, K.preconditioned), v in vectors
        resize!(v, length)
    end
    return K
end

function basis_vector(K::Krylov, k::Int)
    k > length(K.basis) && push!(K.basis, zeros(length(K.vector)))
    return K.basis[k]
end

"""
    gmres!(x, K, problem, b, tolerance, iterations)

Solve from x = 0 until ‖b − A x‖ ≤ `tolerance` ‖b‖. Returns (solved, iterations).
"""
function gmres!(x::Vector{Float64}, K::Krylov, problem, b::Vector{Float64}, tolerance::Float64, iterations::Int)
    H, G, g, v, y = K.hessenberg, K.rotations, K.projected, K.vector, K.image
    fill!(x, 0.0)
    copyto!(y, b)
    start = euclidean(y)
    isfinite(start) || return false, 0
    start == 0 && return true, 0
    target = tolerance * start
    total = 0
    while true
        β = euclidean(y)
        β <= target && return true, total
        total >= iterations && return false, total
        fill!(g, 0.0)
        g[1] = β
        scale!(basis_vector(K, 1), 1 / β, y)
        k = 0
        while k < restart_length(K) && total < iterations && abs(g[k+1]) > target
            k += 1
            total += 1
            copyto!(v, K.basis[k])
            precondition!(v, problem)
            keep!(K, k)
            multiply!(y, problem, v)
            orthogonalize!(y, K, k)
            isfinite(H[k+1, k]) || return false, total
            rotate!(H, G, g, k)
        end
        combine!(x, K, k)
        abs(g[k+1]) <= target && return true, total
        multiply!(y, problem, x)
        @. y = b - y
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

function scale!(x, factor, y)
    @inbounds @simd for l in eachindex(x)
        x[l] = factor * y[l]
    end
    return nothing
end

# Gram–Schmidt against the first k basis vectors (modified), the remainder becoming vector k + 1.
function orthogonalize!(y, K::Krylov, k)
    H = K.hessenberg
    for j in 1:k
        v = K.basis[j]
        h = 0.0
        @inbounds @simd for l in eachindex(y)
            h += v[l] * y[l]
        end
        H[j, k] = h
        @inbounds @simd for l in eachindex(y)
            y[l] -= h * v[l]
        end
    end
    H[k+1, k] = euclidean(y)
    scale!(basis_vector(K, k + 1), H[k+1, k] > 0 ? 1 / H[k+1, k] : 0.0, y)
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

# z_k, and the same rounding in what the matrix will see.
function keep!(K::Krylov, k)
    k > length(K.preconditioned) && push!(K.preconditioned, zeros(Float32, length(K.vector)))
    z, v = K.preconditioned[k], K.vector
    @inbounds @simd for l in eachindex(z)
        z[l] = v[l]
        v[l] = z[l]
    end
    return nothing
end

# x ← x + Z (H \ g), the best combination of k preconditioned vectors.
function combine!(x, K::Krylov, k)
    H, g = K.hessenberg, K.projected
    for j in k:-1:1
        for l in (j+1):k
            g[j] -= H[j, l] * g[l]
        end
        g[j] /= H[j, j]
    end
    for j in 1:k
        z, factor = K.preconditioned[j], g[j]
        @inbounds @simd for l in eachindex(x)
            x[l] += factor * z[l]
        end
    end
    return nothing
end
