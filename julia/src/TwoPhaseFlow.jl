"""
Two-phase flow of CO2 (n) and brine (w) in a porous medium, for ensembles of permeability fields.

    ∂/∂t(φ ρ_α S_α) + ∇·(ρ_α v_α) = q_α,   v_α = −K k_rα/μ_α (∇p_α − ρ_α g ∇z),   p_n = p_w + p_c(S_w)

Unknowns per cell: brine pressure p [Pa] and CO2 saturation S. Cartesian finite volumes with two-point fluxes, upwinding
by phase potential, fully implicit backward Euler, Newton with analytic Jacobian. SI units, z down, Float64.

Cells are numbered with z fastest, then y, then x: an array `(member, x, y, z)` in C order, as NumPy keeps it, is an
array `(z, y, x, member)` here without a copy.

The files below are in the order of the physics; [`simulate`](@ref) runs one member, [`run_case`](@ref) an ensemble.
"""
module TwoPhaseFlow

using LinearAlgebra
using SparseArrays

export Grid, Rock, Fluids, Well, Schedule, Sources, StepControl, State, Report
export Corey, BrooksCoreyCurves, VanGenuchtenCurves, TabulatedCurves
export NoCapillarity, BrooksCorey, VanGenuchten, TabulatedCapillarity
export AutoSolver, CPRSolver, DirectSolver
export hydrostatic_pressure, simulate, simulate_ensemble, run_case

include("grid.jl")            # cells, faces, numbering
include("rock.jl")            # porosity, permeability, compressibility, lateral boundary
include("tables.jl")          # piecewise linear functions
include("density.jl")         # ρ(p)
include("relative_permeability.jl")
include("trapping.jl")        # what retreating CO2 leaves behind
include("capillarity.jl")     # p_c(S)
include("fluids.jl")          # all of these together
include("wells.jl")           # perforations, Peaceman index, schedule
include("sources.jl")         # injection without a well
include("hydrostatic.jl")     # the pressure that stays at rest
include("pattern.jl")         # which blocks of the Jacobian exist
include("model.jl")           # one member: transmissibilities, pore volumes, wells on a pattern
include("part.jl")            # some of the cells
include("assembly.jl")        # residual and Jacobian
include("amg.jl")             # multigrid cycles for the pressure equation ...
include("amg_setup.jl")       # ... and how their levels are made
include("block_ilu.jl")       # incomplete factorisation of the whole system
include("gmres.jl")
include("linear_solvers.jl")  # GMRES with two-stage (CPR) preconditioner, or direct
include("step_control.jl")    # lengths of steps, tolerances
include("local_newton.jl")    # Newton iterations where they are needed
include("newton.jl")          # one implicit step
include("reports.jl")         # what happened to a member
include("timestepping.jl")    # many steps
include("ensemble.jl")        # many members on many threads
include("case_inputs.jl")
include("case_outputs.jl")
include("case.jl")            # dictionaries in, dictionaries out: the entry for other languages
include("warmup.jl")          # compile at installation where Julia can keep the result

end
