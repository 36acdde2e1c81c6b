module TwoPhaseFlow

using LinearAlgebra
using SparseArrays

end
