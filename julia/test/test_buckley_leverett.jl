# Incompressible displacement along a line, exact by Welge's construction: behind the front x(S) = v t f'(S), and the
# front saturation is where the chord from the initial state is tangent, f'(S_f) = f(S_f)/S_f. CO2 enters the middle
# cell of a horizontal line whose ends are open, so each half is one displacement and both are mirror images.

struct Welge
    fluids::Fluids{NoCapillarity}
    front::Float64
end

flow_fraction(f, S) = (n = TwoPhaseFlow.co2_mobility(f, S)[1]; n / (n + TwoPhaseFlow.brine_mobility(f, S)[1]))

function flow_slope(f, S)
    n, dn = TwoPhaseFlow.co2_mobility(f, S)
    w, dw = TwoPhaseFlow.brine_mobility(f, S)
    return (dn * w - n * dw) / (n + w)^2
end

function bisect(f, low, high)
    sign_low = f(low) > 0
    for _ in 1:100
        middle = (low + high) / 2
        (f(middle) > 0) == sign_low ? (low = middle) : (high = middle)
    end
    return (low + high) / 2
end

function Welge(f)
    low, high = f.co2_residual + 1e-3, 1 - f.brine_residual - 1e-6
    return Welge(f, bisect(S -> flow_slope(f, S) * S - flow_fraction(f, S), low, high))
end

function exact_saturation(w::Welge, speed)                      # speed x/(v t)
    speed >= flow_slope(w.fluids, w.front) && return 0.0
    return bisect(S -> flow_slope(w.fluids, S) - speed, w.front, 1 - w.fluids.brine_residual)
end

# per half; returns (x of half, S of right half, S of left half, v t)
function displacement(cells)
    length_half, rate, porosity, time = 400.0, 1e-6, 0.2, 100DAY    # rate: m³/s into each half of 1 m² section
    h = length_half / cells
    g = Grid(2cells + 1, 1, 1, h, 1.0, 1.0; top = 1000.0)
    n = ncells(g)
    fluids = Fluids(; co2_compressibility = 0.0, brine_compressibility = 1e-12)
    middle = cells + 1
    m = Model(g, Rock(fill(porosity, n), fill(1e-13, n); edge_multiplier = 1e8), fluids,
              [Well([middle]; radius = 1e-3)])
    schedule = Schedule([0.0], fill(2rate * fluids.co2_density, 1, 1))
    step = time / cells
    control = StepControl(; initial = step, maximum = step)
    state, report = simulate(m, State(fill(100e5, n), zeros(n)), schedule, 0.0, time; control = control)
    @test report.converged
    S = state.saturation
    return h .* (1:cells), S[middle+1:end], S[middle-1:-1:1], rate * time / porosity
end

@testset "that Buckley–Leverett displacement matches Welge's construction" begin
    welge = Welge(Fluids())
    errors = Float64[]
    for cells in (100, 200, 400)
        x, right, left, vt = displacement(cells)
        @test right ≈ left atol = 1e-6                          # linear solves end at 1e-4 of each Newton residual
        exact = [exact_saturation(welge, xi / vt) for xi in x]
        push!(errors, sum(abs, right .- exact) / length(x))
        if cells == 400
            front = x[findlast(>(welge.front / 2), right)]
            @test abs(front - vt * flow_slope(welge.fluids, welge.front)) < 0.01 * 400.0
        end
    end
    # first-order upwinding smears the front over a few cells
    @test errors[1] < 0.02 && errors[3] < 0.008
    @test errors[2] < 0.75errors[1] && errors[3] < 0.75errors[2]   # order ½ (shock) to 1 (fan)
end
