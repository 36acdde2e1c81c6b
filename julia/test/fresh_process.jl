# Run by test_fresh_process.jl in a process of its own, in which nothing has been compiled before: prints the bytes that a
# second assembly allocates, one law a line.
using TwoPhaseFlow

const LAWS = (
    (brine_exponent = 3.0,),
    (brine_exponent = 2.5, co2_exponent = 1.5),
    (relative_permeability = BrooksCoreyCurves(1.7), capillarity = BrooksCorey(2e4, 1.7, 0.1)),
    (relative_permeability = VanGenuchtenCurves(0.4), capillarity = VanGenuchten(3e4, 0.4, 0.1)))

function allocated(law)
    g = Grid(6, 1, 6, 20.0, 30.0, 5.0; top = 1000.0)
    fluids = Fluids(; law...)
    rock = Rock(fill(0.2, 36), fill(1e-13, 36); compressibility = 1e-10)
    m = TwoPhaseFlow.Model(g, rock, fluids, [Well([8, 9])])
    state = State(hydrostatic_pressure(g, fluids), fill(0.2, 36))
    return repeated(TwoPhaseFlow.System(m.pattern), m, state, [1.0], TwoPhaseFlow.SourceRates([3], [1.0], [0.0]))
end

function repeated(sys, m, state, rates, sources)
    TwoPhaseFlow.begin_step!(sys, m, state)
    TwoPhaseFlow.assemble!(sys, m, state, 3600.0, rates, sources)
    # the least of three: the count is of the whole process
    return minimum((@allocated (TwoPhaseFlow.begin_step!(sys, m, state);
                                TwoPhaseFlow.assemble!(sys, m, state, 3600.0, rates, sources))) for _ in 1:3)
end

foreach(law -> println(allocated(law)), LAWS)
