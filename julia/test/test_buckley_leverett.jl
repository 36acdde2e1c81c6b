# Incompressible displacement along a line, exact by Welge's construction: behind the front x(S) = v t f'(S), and the
# front saturation is where the chord from the initial state is tangent, f'(S_f) = f(S_f)/S_f. CO2 enters the middle
# cell of a horizontal line whose ends are open, so each half is one displacement and both are mirror images.

struct Welge{F<:Fluids}
    fluids::F
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

# `cells` per half; returns x and v t, and at half time and at the end S of the right half and of the left half
function displacement(cells, curves)
    length_half, rate, porosity, time = 400.0, 4e-6, 0.2, 100DAY    # rate: m³/s into each half of 1 m² section
    h = length_half / cells
    g = Grid(2cells + 1, 1, 1, h, 1.0, 1.0; top = 1000.0)
    n = ncells(g)
    fluids = Fluids(; co2_compressibility = 0.0, brine_compressibility = 1e-12, relative_permeability = curves)
    middle = cells + 1
    m = Model(g, Rock(fill(porosity, n), fill(1e-13, n); edge_multiplier = 1e8), fluids,
              [Well([middle]; radius = 1e-3)])
    schedule = Schedule([0.0], fill(2rate * fluids.co2_density, 1, 1))
    step = time / 4cells                                        # short steps: the error left is that of the cells
    control = StepControl(; initial = step, maximum = step)
    profiles = Vector{Float64}[]
    _, report = simulate(m, State(fill(100e5, n), zeros(n)), schedule, 0.0, time; control = control,
                         report_times = [time / 2, time],
                         observe = (k, state, _) -> push!(profiles, copy(state.saturation)))
    @test report.converged
    return h .* (1:cells), rate * time / porosity, [S[middle+1:end] for S in profiles],
           [S[middle-1:-1:1] for S in profiles]
end

# Where the profile falls below S, between two cells.
function front_position(x, profile, S)
    k = findlast(>=(S), profile)
    return x[k] + (x[k+1] - x[k]) * (profile[k] - S) / (profile[k] - profile[k+1])
end

@testset "that Buckley–Leverett displacement matches Welge's construction ($(nameof(typeof(curves))))" for
        (curves, sizes) in ((Corey(2.0, 2.0), (100, 200, 400)), (BrooksCoreyCurves(2.0), (100, 200)))
    welge = Welge(Fluids(; relative_permeability = curves))
    front_speed = flow_slope(welge.fluids, welge.front)
    errors = Float64[]
    for cells in sizes
        x, vt, right, left = displacement(cells, curves)
        @test right[2] ≈ left[2] atol = 1e-6                    # both halves solve the same equations
        exact = [exact_saturation(welge, xi / vt) for xi in x]
        push!(errors, sum(abs, right[2] .- exact) / length(x))
        if cells == 400                                         # the front has crossed four fifths of the line
            half, whole = (front_position(x, profile, welge.front / 2) for profile in right)
            @test whole ≈ vt * front_speed rtol = 0.01
            @test whole - half ≈ vt / 2 * front_speed rtol = 0.01
        end
    end
    # first-order upwinding smears the front over a few cells; order ½ (shock) to 1 (fan)
    @test errors[1] < 0.02
    @test all(errors[2:end] .< 0.75 .* errors[1:end-1])
end
