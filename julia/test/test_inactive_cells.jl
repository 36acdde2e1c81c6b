# A body of rock cut out of a larger box by inactive cells must behave as if the rest did not exist.

@testset "that inactive cells are as good as absent (ny = $ny, $(nameof(typeof(solver))))" for
        ny in (1, 5), solver in (DirectSolver(), CPRSolver(; tolerance = 1e-8))
    rng = MersenneTwister(13)
    nx, nz = 9, 8
    small = Grid(nx, ny, nz, 20.0, 30.0, 5.0; top = 1000.0)
    large = Grid(nx + 3, ny, nz + 2, 20.0, 30.0, 5.0; top = 990.0)
    inside = [cell_index(large, ix + 1, iy, iz + 2) for ix in 1:nx for iy in 1:ny for iz in 1:nz]
    active = fill(false, ncells(large))
    active[inside] .= true
    spread(values) = (field = fill(NaN, ncells(large)); field[inside] .= values; field)
    K, φ = exp.(randn(rng, ncells(small))) .* 1e-13, 0.1 .+ 0.2 .* rand(rng, ncells(small))
    fluids = Fluids(; capillarity = BrooksCorey(1e4, 2.0, 0.1))
    p = hydrostatic_pressure(small, fluids)
    control = StepControl(; initial = 5DAY, maximum = 5DAY, tolerance_residual = 1e-9, tolerance_mass = 1e-12)
    schedule = Schedule([0.0], fill(1.0, 1, 1))
    function run(g, cell, rock, state)
        m = Model(g, rock, fluids, [Well([cell(5, (ny + 1) ÷ 2, 6), cell(5, (ny + 1) ÷ 2, 7)])])
        sources = Sources([cell(2, 1, 5)], [0.0], fill(0.2, 1, 1), fill(0.1, 1, 1))
        return simulate(m, state, schedule, 0.0, 60DAY; control = control, solver = solver, sources = sources)
    end
    alone, report = run(small, (i...) -> cell_index(small, i...), Rock(φ, K; kv_over_kh = 0.3, compressibility = 2e-8),
                        State(p, zeros(ncells(small))))
    boxed, report_boxed = run(large, (ix, iy, iz) -> cell_index(large, ix + 1, iy, iz + 2),
                              Rock(spread(φ), spread(K); kv_over_kh = spread(fill(0.3, ncells(small))),
                                    compressibility = 2e-8, active = active),
                              State(spread(p), spread(zeros(ncells(small)))))
    @test report.converged && report_boxed.converged
    @test maximum(alone.saturation) > 0.2
    @test boxed.saturation[inside] ≈ alone.saturation atol = 1e-8          # Newton's tolerance is 1e-9 pore volumes
    @test boxed.pressure[inside] ≈ alone.pressure rtol = 1e-8
    @test all(==(0), boxed.saturation[.!active]) && all(isnan, boxed.pressure[.!active])
    @test report_boxed.co2_error ≈ 0 atol = 1e-8 * report.injected
end

@testset "that axes of permeability can be exchanged with those of the grid" begin
    rng = MersenneTwister(14)
    n = 7
    K = exp.(randn(rng, 1, n, n)) .* 1e-13                      # (z, y, x)
    function run(kx, ratio, dx, dy, flip)
        g = Grid(n, n, 1, dx, dy, 5.0; top = 1000.0)
        turned(field) = vec(flip ? permutedims(field, (1, 3, 2)) : field)
        rock = Rock(fill(0.2, n * n), turned(kx); ky_over_kx = turned(ratio), compressibility = 2e-8)
        m = Model(g, rock, Fluids(), [Well([cell_index(g, 4, 4, 1)])])
        control = StepControl(; initial = 2DAY, maximum = 2DAY, tolerance_residual = 1e-9, tolerance_mass = 1e-12)
        start = State(fill(100e5, n * n), zeros(n * n))
        state, report = simulate(m, start, Schedule([0.0], fill(0.2, 1, 1)), 0.0, 60DAY; control = control)
        @test report.converged
        return turned(reshape(state.saturation, 1, n, n)), report.bottom_hole[1]
    end
    ratio = 0.1 .+ rand(rng, 1, n, n)
    S, bottom_hole = run(K, ratio, 20.0, 30.0, false)
    S_turned, bottom_hole_turned = run(K .* ratio, 1 ./ ratio, 30.0, 20.0, true)
    @test maximum(S) > 0.2
    @test S_turned ≈ S atol = 1e-8                              # Newton's tolerance is 1e-9 pore volumes
    @test bottom_hole_turned ≈ bottom_hole rtol = 1e-9
end

@testset "that Peaceman's radius is that of the stretched, isotropic medium" begin
    # x' = x α, y' = y/α with α = (ky/kx)^¼ has permeability √(kx ky) in both directions; a circle of radius r_w becomes
    # an ellipse, which acts like a circle of its mean half axis
    g, K, ratio, radius, skin = Grid(3, 3, 2, 20.0, 35.0, 4.0), 1e-13, 0.2, 0.1, 0.7
    α = ratio^0.25
    stretched = Grid(3, 3, 2, 20.0 * α, 35.0 / α, 4.0)
    @test well_index(g, K, radius, skin, ratio) ≈
          well_index(stretched, K * sqrt(ratio), radius * (α + 1 / α) / 2, skin) rtol = 1e-14
    @test well_index(g, K, radius, skin, 1.0) == well_index(g, K, radius, skin)
end

@testset "that a multiplier per cell is the pore volume of the cell" begin
    g = Grid(5, 1, 4, 20.0, 30.0, 5.0; top = 1000.0)
    multiplier = 0.5 .+ rand(MersenneTwister(15), 20)
    m = Model(g, Rock(fill(0.2, 20), fill(1e-13, 20); pore_volume_multiplier = multiplier, edge_multiplier = 10.0),
              Fluids(), Well[])
    @test m.capacity ≈ 600.0 .* multiplier .* [TwoPhaseFlow.is_lateral_edge(g, i) ? 10.0 : 1.0 for i in 1:20]
    @test m.pore_volume ≈ fill(600.0, 20)                       # by this one convergence is judged
end

@testset "that wells and sources stay out of inactive cells" begin
    g = Grid(4, 1, 3, 20.0, 30.0, 5.0; top = 1000.0)
    rock = Rock(fill(0.2, 12), fill(1e-13, 12); active = (1:12) .> 3, edge_multiplier = 1e6)
    @test_throws ArgumentError Model(g, rock, Fluids(), [Well([2, 5])])
    m, state = Model(g, rock, Fluids(), Well[]), State(fill(100e5, 12), zeros(12))
    none, one = Schedule(Float64[], zeros(0, 0)), fill(1e-3, 1, 1)
    @test_throws ArgumentError simulate(m, state, none, 0.0, DAY; sources = Sources([2], [0.0], one, one))
    @test_throws ArgumentError simulate(m, state, none, 0.0, DAY; sources = Sources([13], [0.0], one, one))
    @test simulate(m, state, none, 0.0, DAY; sources = Sources([5], [0.0], one, one))[2].converged
end
