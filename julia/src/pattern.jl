"""
    Pattern(grid, wells)

Where the 2 × 2 blocks of the Jacobian are: block rows in compressed form (`rowptr`, `colind`, ascending), with the
positions of the blocks each cell, face and pair of perforations writes to. It depends on grid and wells only, so all
members and threads share one.
"""
struct Pattern
    rowptr::Vector{Int}
    colind::Vector{Int}
    diagonal::Vector{Int}             # position of block (i, i)
    left::Vector{Int}                 # per face: its two cells ...
    right::Vector{Int}
    left_right::Vector{Int}           # ... and the positions of blocks (left, right) and (right, left)
    right_left::Vector{Int}
    axis::Vector{Int}
    perforations::Vector{Matrix{Int}} # per well: position of block (cell_a, cell_b)
end

ncells(pattern::Pattern) = length(pattern.diagonal)

function Pattern(g::Grid, wells::Vector{Well})
    n = ncells(g)
    neighbours = [Int[i] for i in 1:n]
    left, right, axis = Int[], Int[], Int[]
    each_face(g) do i, j, a
        push!(neighbours[i], j)
        push!(neighbours[j], i)
        push!(left, i)
        push!(right, j)
        push!(axis, a)
    end
    for well in wells, a in well.cells, b in well.cells
        1 <= a <= n || throw(ArgumentError("well cell $a: the grid has $n cells"))
        a == b || push!(neighbours[a], b)
    end
    foreach(row -> unique!(sort!(row)), neighbours)
    rowptr = cumsum(vcat(1, length.(neighbours)))
    colind = reduce(vcat, neighbours)
    position(i, j) = rowptr[i] - 1 + searchsortedfirst(neighbours[i], j)
    diagonal = [position(i, i) for i in 1:n]
    left_right = [position(i, j) for (i, j) in zip(left, right)]
    right_left = [position(j, i) for (i, j) in zip(left, right)]
    perforations = [[position(a, b) for a in well.cells, b in well.cells] for well in wells]
    return Pattern(rowptr, colind, diagonal, left, right, left_right, right_left, axis, perforations)
end
