"""
    Grid(nx, ny, nz, dx, dy, dz; top = 0.0)

Regular Cartesian grid of `nx × ny × nz` cells of `dx × dy × dz` metres, whose upper face lies at depth `top` [m].
A two-dimensional section has `ny = 1` and its thickness as `dy`.
"""
struct Grid
    nx::Int
    ny::Int
    nz::Int
    dx::Float64
    dy::Float64
    dz::Float64
    top::Float64

    function Grid(nx, ny, nz, dx, dy, dz; top = 0.0)
        min(nx, ny, nz) >= 1 ||
            throw(ArgumentError("grid shape ($nx, $ny, $nz): give at least one cell along each axis"))
        all(h -> isfinite(h) && h > 0, (dx, dy, dz)) ||
            throw(ArgumentError("grid spacing ($dx, $dy, $dz): give positive lengths in metres"))
        isfinite(top) || throw(ArgumentError("grid top $top: give a finite depth in metres"))
        return new(nx, ny, nz, dx, dy, dz, top)
    end
end

Base.show(io::IO, g::Grid) =
    print(io, "Grid($(g.nx) × $(g.ny) × $(g.nz) cells of $(g.dx) × $(g.dy) × $(g.dz) m)")

"Number of cells."
ncells(g::Grid) = g.nx * g.ny * g.nz

"Volume of a cell [m³]."
cell_volume(g::Grid) = g.dx * g.dy * g.dz

"Number of cell (ix, iy, iz), each counted from 1: z runs fastest."
cell_index(g::Grid, ix, iy, iz) = iz + g.nz * ((iy - 1) + g.ny * (ix - 1))

"Depth of the centre of a cell [m]."
cell_depth(g::Grid, cell) = g.top + (mod1(cell, g.nz) - 0.5) * g.dz

"""
    each_face(f, grid)

Call `f(i, j, axis)` for every inner face, between cell `i` and its neighbour `j` in the positive direction of `axis`
(1 = x, 2 = y, 3 = z).
"""
function each_face(f::F, g::Grid) where {F}
    for ix in 1:g.nx, iy in 1:g.ny, iz in 1:g.nz
        i = cell_index(g, ix, iy, iz)
        ix < g.nx && f(i, i + g.nz * g.ny, 1)
        iy < g.ny && f(i, i + g.nz, 2)
        iz < g.nz && f(i, i + 1, 3)
    end
    return nothing
end

"Number of inner faces."
nfaces(g::Grid) = (g.nx - 1) * g.ny * g.nz + g.nx * (g.ny - 1) * g.nz + g.nx * g.ny * (g.nz - 1)

"Is the cell at a lateral edge? In a two-dimensional section (`ny = 1`) only the ends in x are edges."
function is_lateral_edge(g::Grid, cell)
    column = (cell - 1) ÷ g.nz
    ix, iy = column ÷ g.ny + 1, column % g.ny + 1
    return ix == 1 || ix == g.nx || (g.ny > 1 && (iy == 1 || iy == g.ny))
end
