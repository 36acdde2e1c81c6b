# Which cells an assembly renews. The residual of a cell depends on its own state and on its neighbours', so after a
# change in some cells only those and their neighbours are new; the rest of residual and Jacobian stays as it is, to the
# last bit.

"All cells and faces."
struct Whole end

"""
    Part(pattern)

Some `cells` (ascending; `inside` marks them) and all `faces` they touch; empty at first, see [`set!`](@ref).
"""
struct Part
    cells::Vector{Int}
    faces::Vector{Int}
    inside::Vector{Bool}
    face_ptr::Vector{Int}                 # the faces of every cell
    face_of::Vector{Int}
end

function Part(pattern::Pattern)
    n = ncells(pattern)
    ptr = zeros(Int, n + 1)
    for side in (pattern.left, pattern.right), i in side
        ptr[i+1] += 1
    end
    ptr[1] = 1
    cumsum!(ptr, ptr)
    next, face_of = copy(ptr), zeros(Int, ptr[end] - 1)
    for f in eachindex(pattern.left), i in (pattern.left[f], pattern.right[f])
        face_of[next[i]] = f
        next[i] += 1
    end
    return Part(Int[], Int[], zeros(Bool, n), ptr, face_of)
end

"Make `part` the given cells and those that share a block of the Jacobian with them."
function set!(part::Part, pattern::Pattern, changed::Vector{Int})
    for i in part.cells
        part.inside[i] = false
    end
    empty!(part.cells)
    @inbounds for i in changed, q in pattern.rowptr[i]:(pattern.rowptr[i+1]-1)
        k = pattern.colind[q]
        part.inside[k] && continue
        part.inside[k] = true
        push!(part.cells, k)
    end
    sort!(part.cells)
    empty!(part.faces)
    @inbounds for i in part.cells, q in part.face_ptr[i]:(part.face_ptr[i+1]-1)
        f = part.face_of[q]
        other = pattern.left[f] == i ? pattern.right[f] : pattern.left[f]
        part.inside[other] && other < i && continue        # seen from there
        push!(part.faces, f)
    end
    sort!(part.faces)                                      # the order of sums in the whole assembly
    return part
end

holds(::Whole, i) = true
holds(part::Part, i) = @inbounds part.inside[i]
