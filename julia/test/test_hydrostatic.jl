@testset "that a model at rest stays at rest for ten years ($nx × $ny × $nz)" for
        (nx, ny, nz) in ((24, 1, 20), (8, 7, 10))
    rng = MersenneTwister(2)
    g = Grid(nx, ny, nz, 50.0, 60.0, 25.0; top = 800.0)
    fluids = Fluids(; brine_compressibility = 4.5e-10)
    rock = Rock(fill(0.25, ncells(g)), 10.0 .^ (-18 .+ 6 .* rand(rng, ncells(g))); kv_over_kh = 0.36,
                edge_multiplier = 1e6)
    p = hydrostatic_pressure(g, fluids)
    start = State(p, zeros(ncells(g)))
    state, report = simulate(Model(g, rock, fluids, Well[]), start, Schedule(Float64[], zeros(0, 0)), 0.0, 10YEAR)
    @test report.converged
    @test report.newton == 0                                   # in discrete equilibrium there is nothing to solve
    @test all(==(0), state.saturation)
    @test maximum(abs, state.pressure .- p) < 1.0
end

@testset "that hydrostatic pressure is atmosphere plus weight" begin
    g = Grid(2, 1, 40, 10.0, 10.0, 25.0; top = 500.0)
    constant = Fluids(; brine_compressibility = 0.0)
    depth = [cell_depth(g, i) for i in 1:ncells(g)]
    @test hydrostatic_pressure(g, constant) ≈ 101325 .+ 1000 * 9.80665 .* depth rtol = 1e-14
    # dp/dz = ρ_ref exp(c (p − p_ref)) g has the solution exp(−c (p − p_ref)) = exp(−c (p_0 − p_ref)) − c ρ_ref g z
    c, reference = 1e-9, 150e5
    exact = reference .- log.(exp(-c * (101325 - reference)) .- c * 1000 * 9.80665 .* depth) ./ c
    # the first hop spans 512.5 m: error of the trapezoidal rule h³p‴/12 = c²(ρg)³h³/6 = 21 Pa
    @test maximum(abs, hydrostatic_pressure(g, Fluids(; brine_compressibility = c)) .- exact) < 22.0
end
