# How the multigrid hierarchy of amg.jl is made: coarse points, interpolation, and the coarse matrices
# A_{l+1} = Pᵀ (A_l P).

# --- coarse points ----------------------------------------------------------------------------------------------------

# Mark strong entries and choose coarse points; their number. `kind` then says what every point is.
function split!(s::Scratch, A::Rows)
    n = length(A.diagonal)
    resize!(s.strong, length(A.col))
    for v in (s.kind, s.measure, s.following, s.previous, s.mark, s.weight)
        resize!(v, n)
    end
    find_strong!(s, A)
    transpose_strong!(s, A)
    return choose_coarse!(s, A)
end

function find_strong!(s::Scratch, A::Rows)
    @inbounds for i in eachindex(A.diagonal)
        rows = A.ptr[i]:(A.ptr[i+1]-Int32(1))
        largest, total = 0.0f0, 0.0f0
        for q in rows
            q == A.diagonal[i] && continue
            largest = max(largest, -A.value[q])
            total += abs(A.value[q])
        end
        lonely = !(largest > 0 && total >= ISOLATED * abs(A.value[A.diagonal[i]]))
        s.kind[i] = lonely ? LONELY : UNDECIDED
        for q in rows
            s.strong[q] = !lonely && q != A.diagonal[i] && -A.value[q] >= STRONG * largest
        end
    end
    # what is left to the sweeps cannot be interpolated from
    @inbounds for i in eachindex(A.diagonal), q in A.ptr[i]:(A.ptr[i+1]-1)
        s.kind[A.col[q]] == LONELY && (s.strong[q] = false)
    end
    return nothing
end

function transpose_strong!(s::Scratch, A::Rows)
    n = length(A.diagonal)
    ptr = resize!(s.influence_ptr, n + 1)
    fill!(ptr, 0)
    @inbounds for q in eachindex(A.col)
        s.strong[q] && (ptr[A.col[q]+1] += 1)
    end
    ptr[1] = 1
    for i in 1:n
        @inbounds s.measure[i] = ptr[i+1]
        @inbounds ptr[i+1] += ptr[i]
    end
    resize!(s.influence_row, ptr[n+1] - 1)
    next = copyto!(s.mark, 1, ptr, 1, n)
    @inbounds for i in 1:n, q in A.ptr[i]:(A.ptr[i+1]-1)
        s.strong[q] || continue
        j = A.col[q]
        s.influence_row[next[j]] = i
        next[j] += 1
    end
    return nothing
end

@inline function unlink!(s::Scratch, i)
    before, after = s.previous[i], s.following[i]
    before == 0 ? (s.first[s.measure[i]+1] = after) : (s.following[before] = after)
    after == 0 || (s.previous[after] = before)
    return nothing
end

@inline function link!(s::Scratch, i)
    old = s.first[s.measure[i]+1]
    s.following[i] = old
    s.previous[i] = 0
    old == 0 || (s.previous[old] = i)
    s.first[s.measure[i]+1] = i
    return nothing
end

# The point that most undecided points lean on becomes coarse, those points fine, and what they lean on in turn gains
# weight; and so on.
function choose_coarse!(s::Scratch, A::Rows)
    n = Int32(length(A.diagonal))
    highest = 2 * maximum(s.measure) + 2
    fill!(resize!(s.first, highest + 1), 0)
    for i in n:Int32(-1):Int32(1)
        s.kind[i] == UNDECIDED && link!(s, i)
    end
    coarse = Int32(0)
    top = highest
    @inbounds while true
        while top >= 0 && s.first[top+1] == 0
            top -= 1
        end
        top < 0 && break
        i = s.first[top+1]
        unlink!(s, i)
        if top == 0 && any_coarse(s, A, i)
            s.kind[i] = FINE
            continue
        end
        coarse += Int32(1)
        s.kind[i] = coarse
        for r in s.influence_ptr[i]:(s.influence_ptr[i+1]-1)
            j = s.influence_row[r]
            s.kind[j] == UNDECIDED || continue
            s.kind[j] = FINE
            unlink!(s, j)
            for q in A.ptr[j]:(A.ptr[j+1]-1)
                k = A.col[q]
                (s.strong[q] && s.kind[k] == UNDECIDED) || continue
                unlink!(s, k)
                s.measure[k] += 1
                link!(s, k)
                top = max(top, Int(s.measure[k]))
            end
        end
        for q in A.ptr[i]:(A.ptr[i+1]-1)
            k = A.col[q]
            (s.strong[q] && s.kind[k] == UNDECIDED && s.measure[k] > 0) || continue
            unlink!(s, k)
            s.measure[k] -= 1
            link!(s, k)
        end
    end
    return number_coarse!(s, n)
end

@inline function any_coarse(s::Scratch, A::Rows, i)
    @inbounds for q in A.ptr[i]:(A.ptr[i+1]-1)
        s.strong[q] && s.kind[A.col[q]] > 0 && return true
    end
    return false
end

# Coarse points in the order of the fine ones keep the matrices banded.
function number_coarse!(s::Scratch, n)
    coarse = Int32(0)
    @inbounds for i in 1:n
        s.kind[i] > 0 || continue
        coarse += Int32(1)
        s.kind[i] = coarse
    end
    return Int(coarse)
end

# --- interpolation ----------------------------------------------------------------------------------------------------

# e_i = Σ_k w_ik e_k over the strong coarse neighbours k of a fine point i, from Σ_j a_ij e_j ≈ 0: weak neighbours count
# as e_i, a strong fine neighbour m as the mean of the coarse points it shares with i, weighted by a_mk.
function interpolate!(level::Level, s::Scratch, coarse::Int)
    A = level.matrix
    n = length(A.diagonal)
    ptr, col, value = resize!(level.p_ptr, n + 1), empty!(level.p_col), empty!(level.p_value)
    mark, weight = fill!(s.mark, 0), s.weight
    ptr[1] = 1
    @inbounds for i in 1:n
        if s.kind[i] > 0
            push!(col, s.kind[i])
            push!(value, 1.0f0)
        elseif s.kind[i] == FINE
            interpolate_row!(col, value, A, s, i)
        end
        ptr[i+1] = length(col) + 1
    end
    transpose!(level, coarse)
    return nothing
end

function interpolate_row!(col, value, A::Rows, s::Scratch, i)
    mark, weight, kind = s.mark, s.weight, s.kind
    rows = A.ptr[i]:(A.ptr[i+1]-Int32(1))
    @inbounds for q in rows
        k = A.col[q]
        if s.strong[q] && kind[k] > 0
            mark[k] = i
            weight[k] = A.value[q]
        end
    end
    diagonal = A.value[A.diagonal[i]]
    @inbounds for q in rows
        m = A.col[q]
        (m == i || mark[m] == i) && continue
        a = A.value[q]
        shared = 0.0f0
        if s.strong[q]
            for r in A.ptr[m]:(A.ptr[m+1]-1)
                mark[A.col[r]] == i && (shared += min(A.value[r], 0.0f0))
            end
        end
        if shared < 0
            for r in A.ptr[m]:(A.ptr[m+1]-1)
                k = A.col[r]
                mark[k] == i && (weight[k] += a * min(A.value[r], 0.0f0) / shared)
            end
        else
            diagonal += a
        end
    end
    largest, total = 0.0f0, 0.0f0
    @inbounds for q in rows
        k = A.col[q]
        mark[k] == i || continue
        largest = max(largest, abs(weight[k]))
        total += weight[k]
    end
    (largest > 0 && diagonal > 0) || return nothing
    kept = 0.0f0
    @inbounds for q in rows
        k = A.col[q]
        mark[k] == i && abs(weight[k]) >= TRUNCATION * largest && (kept += weight[k])
    end
    scale = -total / (kept * diagonal)
    @inbounds for q in rows
        k = A.col[q]
        mark[k] == i && abs(weight[k]) >= TRUNCATION * largest || continue
        push!(col, kind[k])
        push!(value, scale * weight[k])
    end
    return nothing
end

# Columns of P: where the rows of Pᵀ find their entries.
function transpose!(level::Level, coarse::Int)
    ptr = fill!(resize!(level.t_ptr, coarse + 1), 0)
    row, position = resize!(level.t_row, length(level.p_col)), resize!(level.t_position, length(level.p_col))
    @inbounds for c in level.p_col
        ptr[c+1] += Int32(1)
    end
    ptr[1] = 1
    @inbounds for c in 1:coarse
        ptr[c+1] += ptr[c]
    end
    next = copy(ptr)
    @inbounds for i in 1:(length(level.p_ptr)-1), q in level.p_ptr[i]:(level.p_ptr[i+1]-1)
        c = level.p_col[q]
        row[next[c]] = i
        position[next[c]] = q
        next[c] += Int32(1)
    end
    return nothing
end

# --- coarse matrices --------------------------------------------------------------------------------------------------

# Structure of A P.
function multiply_symbolic!(level::Level, s::Scratch, coarse::Int)
    A = level.matrix
    n = length(A.diagonal)
    ptr, col = resize!(level.ap_ptr, n + 1), empty!(level.ap_col)
    mark = fill!(s.mark, 0)
    ptr[1] = 1
    @inbounds for i in 1:n
        for q in A.ptr[i]:(A.ptr[i+1]-1)
            k = A.col[q]
            for r in level.p_ptr[k]:(level.p_ptr[k+1]-1)
                c = level.p_col[r]
                mark[c] == i && continue
                mark[c] = i
                push!(col, c)
            end
        end
        ptr[i+1] = length(col) + 1
    end
    resize!(level.ap_value, length(col))
    return nothing
end

# Structure of Pᵀ (A P).
function galerkin_symbolic!(next::Level, level::Level, s::Scratch, coarse::Int)
    ptr, col = resize!(next.matrix.ptr, coarse + 1), empty!(next.matrix.col)
    diagonal = resize!(next.matrix.diagonal, coarse)
    mark = fill!(s.mark, 0)
    ptr[1] = 1
    @inbounds for c in 1:coarse
        begun = length(col) + 1
        mark[c] = c                               # a place for the diagonal, whatever comes out
        push!(col, c)
        for t in level.t_ptr[c]:(level.t_ptr[c+1]-1)
            i = level.t_row[t]
            for q in level.ap_ptr[i]:(level.ap_ptr[i+1]-1)
                j = level.ap_col[q]
                mark[j] == c && continue
                mark[j] = c
                push!(col, j)
            end
        end
        sort_range!(col, begun, length(col))
        ptr[c+1] = length(col) + 1
        for q in begun:length(col)
            col[q] == c && (diagonal[c] = q)
        end
    end
    resize!(next.matrix.value, length(col))
    return nothing
end

# Insertion sort: the rows are short.
function sort_range!(v::Vector{Int32}, first::Int, last::Int)
    @inbounds for a in (first+1):last
        x, b = v[a], a - 1
        while b >= first && v[b] > x
            v[b+1] = v[b]
            b -= 1
        end
        v[b+1] = x
    end
    return nothing
end

# Values of A P and of Pᵀ (A P).
function galerkin!(next::Level, level::Level, s::Scratch)
    A, C, place = level.matrix, next.matrix, s.mark
    @inbounds for i in eachindex(A.diagonal)
        for q in level.ap_ptr[i]:(level.ap_ptr[i+1]-Int32(1))
            place[level.ap_col[q]] = q
            level.ap_value[q] = 0.0f0
        end
        for q in A.ptr[i]:(A.ptr[i+1]-1)
            k, a = A.col[q], A.value[q]
            for r in level.p_ptr[k]:(level.p_ptr[k+1]-1)
                level.ap_value[place[level.p_col[r]]] += a * level.p_value[r]
            end
        end
    end
    @inbounds for c in eachindex(C.diagonal)
        for q in C.ptr[c]:(C.ptr[c+1]-Int32(1))
            place[C.col[q]] = q
            C.value[q] = 0.0f0
        end
        for t in level.t_ptr[c]:(level.t_ptr[c+1]-1)
            i, w = level.t_row[t], level.p_value[level.t_position[t]]
            for q in level.ap_ptr[i]:(level.ap_ptr[i+1]-1)
                C.value[place[level.ap_col[q]]] += w * level.ap_value[q]
            end
        end
    end
    return nothing
end
