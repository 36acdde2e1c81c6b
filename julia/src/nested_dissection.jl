"""
    nested_dissection(grid)

An elimination order of the cells with little fill: cut the longest side by a plane of cells, number both halves first
and the plane last, and so on in each half. George (1973), Nested dissection of a regular finite element mesh.
"""
function nested_dissection(g::Grid)
    order = Int[]
    sizehint!(order, ncells(g))
    dissect!(order, g, 1, g.nx, 1, g.ny, 1, g.nz)
    return order
end

function dissect!(order, g, x1, x2, y1, y2, z1, z2)
    lengths = (x2 - x1 + 1, y2 - y1 + 1, z2 - z1 + 1)
    minimum(lengths) < 1 && return nothing
    longest, axis = findmax(collect(lengths))
    if longest <= 3
        for ix in x1:x2, iy in y1:y2, iz in z1:z2
            push!(order, cell_index(g, ix, iy, iz))
        end
    elseif axis == 1
        cut = (x1 + x2) ÷ 2
        dissect!(order, g, x1, cut - 1, y1, y2, z1, z2)
        dissect!(order, g, cut + 1, x2, y1, y2, z1, z2)
        dissect!(order, g, cut, cut, y1, y2, z1, z2)
    elseif axis == 2
        cut = (y1 + y2) ÷ 2
        dissect!(order, g, x1, x2, y1, cut - 1, z1, z2)
        dissect!(order, g, x1, x2, cut + 1, y2, z1, z2)
        dissect!(order, g, x1, x2, cut, cut, z1, z2)
    else
        cut = (z1 + z2) ÷ 2
        dissect!(order, g, x1, x2, y1, y2, z1, cut - 1)
        dissect!(order, g, x1, x2, y1, y2, cut + 1, z2)
        dissect!(order, g, x1, x2, y1, y2, cut, cut)
    end
    return nothing
end
