# Newton iterations on the few cells that need them.
#
# After the first iteration of a step, nearly all cells of a storage site have converged: what is left is the advancing
# front, which gains about one cell per iteration, because dry cells let no CO2 through. There the linear problem is
# solved with the rest of the field held,
#
#   J_ΩΩ δ_Ω = −R_Ω,   Ω = {i : |R_i| Δt > ε V_i} and the cells within two faces of it,
#
# by GMRES and block-ILU(0) (the region is too small for long pressure waves), and only Ω and its neighbours are
# assembled anew. Global iterations begin and end every step, and judge it: what is accepted solves the same equations
# to the same tolerance. In the spirit of nonlinear elimination: Lanzkron, Rose and Wilkes (1996), doi:10.1137/S106482759325154X.

const LOCAL_SHARE = 0.15        # largest share of the cells that is treated apart
const LOCAL_RESIDUAL = 1e-2     # imbalance, in pore volumes, below which a global iteration converges as fast
const LOCAL_CORE = 1e-4         # ε

"Storage of local iterations: the region Ω, its matrix, and what must be assembled anew after a change in it."
mutable struct LocalWorkspace
    region::Vector{Int}
    place::Vector{Int32}                  # number of a cell in the region, 0 elsewhere
    part::Part
    ptr::Vector{Int32}
    col::Vector{Int32}
    diagonal::Vector{Int32}
    blocks::Matrix{Float64}
    smoother::BlockILU
    krylov::Krylov
    right_hand_side::Vector{Float64}
    update::Vector{Float64}
    no_pressure::Vector{Float32}
end

LocalWorkspace(pattern::Pattern) = LocalWorkspace(
    Int[], zeros(Int32, ncells(pattern)), Part(pattern), Int32[], Int32[], Int32[], zeros(4, 0),
    BlockILU(Int32[], Int32[], Int32[], Int32[], zeros(Float32, 4, 0), zeros(Float32, 4, 0), zeros(Float32, 2, 0)),
    Krylov(0, 40), Float64[], Float64[], Float32[])

function multiply!(y::Vector{Float64}, ws::LocalWorkspace, x::Vector{Float64})
    B = ws.blocks
    @inbounds for i in eachindex(ws.diagonal)
        y1, y2 = 0.0, 0.0
        for q in ws.ptr[i]:(ws.ptr[i+1]-Int32(1))
            k = ws.col[q]
            y1 += B[1, q] * x[2k-1] + B[3, q] * x[2k]
            y2 += B[2, q] * x[2k-1] + B[4, q] * x[2k]
        end
        y[2i-1], y[2i] = y1, y2
    end
    return nothing
end

precondition!(x::Vector{Float64}, ws::LocalWorkspace) = correct!(x, ws.smoother, ws.no_pressure)

"""
    local_step!(ws, system, model, trial, dt, limit)

One Newton iteration on the region that needs it; `trial` changes there and `ws.part` says what to assemble. Returns
(done, linear iterations): not done when the region is empty, or large, or its problem is not solved.
"""
function local_step!(ws::LocalWorkspace, sys::System, m::Model, trial::State, dt::Float64, limit::Float64)
    choose_region!(ws, sys, m, dt) || return false, 0
    gather!(ws, sys, m.pattern)
    factorize!(ws.smoother, ws.blocks) || return false, 0
    solved, iterations = gmres!(ws.update, ws.krylov, ws, ws.right_hand_side, 1e-2, 80)
    solved || return false, iterations
    for (l, i) in enumerate(ws.region)
        change!(trial, m, i, ws.update[2l-1], ws.update[2l], limit)
    end
    set!(ws.part, m.pattern, ws.region)
    return true, iterations
end

imbalance(sys::System, m::Model, i, dt) =
    m.rock.active[i] ? max(abs(sys.residual[2i-1]), abs(sys.residual[2i])) * dt / m.pore_volume[i] : 0.0

function choose_region!(ws::LocalWorkspace, sys::System, m::Model, dt)
    pattern, region, place = m.pattern, ws.region, ws.place
    for i in region
        place[i] = 0
    end
    empty!(region)
    largest, most = 0.0, LOCAL_SHARE * length(place)
    @inbounds for i in eachindex(place)
        r = imbalance(sys, m, i, dt)
        largest = max(largest, r)
        r > LOCAL_CORE || continue
        push!(region, i)
        place[i] = 1
        length(region) > most && return false
    end
    largest > LOCAL_RESIDUAL || return false
    first = 1
    for _ in 1:2
        last = length(region)
        @inbounds for l in first:last, q in pattern.rowptr[region[l]]:(pattern.rowptr[region[l]+1]-1)
            k = pattern.colind[q]
            place[k] == 0 || continue
            place[k] = 1
            push!(region, k)
        end
        first = last + 1
    end
    sort!(region)
    for (l, i) in enumerate(region)
        place[i] = l
    end
    return true
end

# Rows and columns of the region.
function gather!(ws::LocalWorkspace, sys::System, pattern::Pattern)
    region, place = ws.region, ws.place
    n = length(region)
    resize!(ws.ptr, n + 1)
    resize!(ws.diagonal, n)
    empty!(ws.col)
    entries = sum(i -> pattern.rowptr[i+1] - pattern.rowptr[i], region)
    if size(ws.blocks, 2) < entries
        ws.blocks = zeros(4, 2 * entries)
    end
    ws.ptr[1] = 1
    @inbounds for (l, i) in enumerate(region)
        for q in pattern.rowptr[i]:(pattern.rowptr[i+1]-1)
            k = place[pattern.colind[q]]
            k == 0 && continue
            push!(ws.col, k)
            e = length(ws.col)
            k == l && (ws.diagonal[l] = e)
            for b in 1:4
                ws.blocks[b, e] = sys.blocks[b, q]
            end
        end
        ws.ptr[l+1] = length(ws.col) + 1
    end
    for v in (ws.right_hand_side, ws.update)
        resize!(v, 2n)
    end
    fill!(resize!(ws.no_pressure, n), 0)
    resize!(ws.krylov, 2n)
    ws.smoother = BlockILU(ws.smoother, ws.ptr, ws.col, ws.diagonal)
    @inbounds for (l, i) in enumerate(region)
        ws.right_hand_side[2l-1] = -sys.residual[2i-1]
        ws.right_hand_side[2l] = -sys.residual[2i]
    end
    return nothing
end
