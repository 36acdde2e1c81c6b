@testset "that transmissibilities are harmonic and anisotropic, pore volumes multiplied at lateral edges only" begin
    rng = MersenneTwister(8)
    g = Grid(4, 3, 5, 20.0, 30.0, 5.0; top = 1000.0)
    n = ncells(g)
    k, φ = exp.(randn(rng, n)) .* 1e-13, 0.1 .+ 0.2 .* rand(rng, n)
    m = Model(g, Rock(φ, k; kv_over_kh = 0.3, edge_multiplier = 50.0), Fluids(), Well[])
    T = Dict((m.pattern.left[f], m.pattern.right[f]) => m.transmissibility[f] for f in eachindex(m.transmissibility))
    @test length(T) == 3 * 3 * 5 + 4 * 2 * 5 + 4 * 3 * 4
    series(area, h, k1, k2) = area / (h / 2k1 + h / 2k2)
    a, x, y, z = (cell_index(g, i...) for i in ((2, 2, 3), (3, 2, 3), (2, 3, 3), (2, 2, 4)))
    @test T[(a, x)] ≈ series(30.0 * 5.0, 20.0, k[a], k[x]) rtol = 1e-14
    @test T[(a, y)] ≈ series(20.0 * 5.0, 30.0, k[a], k[y]) rtol = 1e-14
    @test T[(a, z)] ≈ series(20.0 * 30.0, 5.0, 0.3k[a], 0.3k[z]) rtol = 1e-14
    factor = m.capacity ./ (φ .* cell_volume(g))
    for ix in 1:4, iy in 1:3, iz in 1:5
        edge = ix in (1, 4) || iy in (1, 3)
        @test factor[cell_index(g, ix, iy, iz)] ≈ (edge ? 50.0 : 1.0)
    end
    rock = Rock(fill(0.2, 20), fill(1e-13, 20); edge_multiplier = 50.0)
    section = Model(Grid(4, 1, 5, 20.0, 30.0, 5.0), rock, Fluids(), Well[])
    @test count(≈(50 * 0.2 * 3000.0), section.capacity) == 10      # the two ends; a section has no edges in y
end

@testset "that rock which cannot be is refused" begin
    refused(φ, k; keywords...) = (@test_throws ArgumentError Rock(φ, k; keywords...))
    refused([0.2, 0.0], [1e-13, 1e-13])
    refused([0.2, NaN], [1e-13, 1e-13])
    refused([0.2, 0.2], [1e-13, -1e-13])
    refused([0.2], [1e-13, 1e-13])
    refused([0.2], [1e-13]; kv_over_kh = 0.0)
    refused([0.2], [1e-13]; edge_multiplier = 0.5)
end
