# Brine injected at a constant rate into a thin, infinite, horizontal aquifer (Theis 1935, doi:10.1029/TR016i002p00519):
#
#   p(r, t) − p₀ = Q μ/(4π K h ρ) E₁(r²/(4 D t)),   D = K/(φ μ (c_w + c_r))

# E₁(x) = −γ − ln x − Σ_{k≥1} (−x)^k/(k·k!); every digit for the x < 6 asked for here
function exponential_integral(x)
    term, total = 1.0, -Base.MathConstants.eulergamma - log(x)
    for k in 1:60
        term *= -x / k
        total -= term / k
    end
    return total
end

@testset "that pressure spreads from a source as Theis says" begin
    # one quadrant of a square whose source stands at a corner; the edges are lines of symmetry or far away
    n, h, K, φ, c = 60, 10.0, 1e-13, 0.2, 1e-9
    g = Grid(n, n, 1, h, h, 5.0; top = 1000.0)
    fluids = Fluids(; brine_compressibility = c / 2, brine_residual = 0.0)
    m = Model(g, Rock(fill(φ, n^2), fill(K, n^2); compressibility = c / 2), fluids, Well[])
    Q, D = 0.5, K / (φ * fluids.brine_viscosity * c)
    sources = Sources([1], [0.0], zeros(1, 1), fill(Q / 4, 1, 1))
    times = [4000.0, 8000.0, 16000.0]
    pressures = Vector{Float64}[]
    control = StepControl(; ends = collect(40.0:40.0:16000.0), tolerance_residual = 1e-9)
    _, report = simulate(m, State(fill(150e5, n^2), zeros(n^2)), Schedule(Float64[], zeros(0, 0)), 0.0, 16000.0;
                         sources = sources, control = control, report_times = times,
                         observe = (k, state, _) -> push!(pressures, copy(state.pressure)))
    @test report.converged
    unit = Q * fluids.brine_viscosity / (4π * K * 5.0 * fluids.brine_density)
    for (t, p) in zip(times, pressures), (ix, iy) in ((8, 1), (1, 12), (9, 9), (16, 4))
        r = h * hypot(ix - 0.5, iy - 0.5)
        # of 400 backward Euler steps; the source is as wide as a cell; density changes by 1e-4
        @test p[cell_index(g, ix, iy, 1)] - 150e5 ≈ unit * exponential_integral(r^2 / (4 * D * t)) atol = 0.01unit
    end
end
