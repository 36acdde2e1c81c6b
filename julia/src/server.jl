# The worker's side of the wire: decode named values, call one function, encode what it returns.
#
# Started as its own process by whoever wants Julia; the other side is seisflow/dynamics/julia.py. Standard library only.
# A request is one line `call FUNCTION COUNT FOLDER...` and COUNT lines of values; a reply is `result COUNT` and COUNT
# lines of values, or `error MESSAGE STACK`. A value is
#     array KEY DTYPE PATH DIM...     raw bytes in a file; DIM in the order of NumPy, so the last one is contiguous
#     float|int|bool|str KEY TEXT
# Tokens are percent-encoded and separated by one blank. A C-ordered NumPy array (m, x, z) is the Julia array (z, x, m):
# the same bytes, no copy.

module SeisflowServer

using Mmap

const DTYPES = Dict{String,DataType}(
    "float64" => Float64, "float32" => Float32, "int64" => Int64, "int32" => Int32, "uint8" => UInt8, "bool" => Bool)
const NAMES = Dict{DataType,String}(type => name for (name, type) in DTYPES)
const SCALARS = Dict{String,DataType}("float" => Float64, "int" => Int64, "bool" => Bool)

isplain(byte::UInt8) = UInt8('a') <= byte <= UInt8('z') || UInt8('A') <= byte <= UInt8('Z') ||
                       UInt8('0') <= byte <= UInt8('9') || byte in (UInt8('-'), UInt8('_'), UInt8('.'), UInt8('/'))

"Percent-encode `text`, so that it holds neither blanks nor line ends."
function encode(text::AbstractString)
    buffer = IOBuffer()
    for byte in codeunits(String(text))
        isplain(byte) ? write(buffer, byte) : print(buffer, '%', uppercase(string(byte, base = 16, pad = 2)))
    end
    return String(take!(buffer))
end

"Undo `encode`."
function decode(token::AbstractString)
    bytes = codeunits(String(token))
    buffer = IOBuffer()
    i = 1
    while i <= length(bytes)
        if bytes[i] == UInt8('%')
            write(buffer, parse(UInt8, String(bytes[i+1:i+2]), base = 16))
            i += 3
        else
            write(buffer, bytes[i])
            i += 1
        end
    end
    return String(take!(buffer))
end

# A private mapping: a function that writes into its input disturbs nobody, so a call can be repeated.
function mapped(path::String, ::Type{T}, dims::NTuple{N,Int}) where {T,N}
    any(iszero, dims) && return Array{T,N}(undef, dims)
    return open(io -> Mmap.mmap(io, Array{T,N}, dims; grow = false, shared = false), path, "r+")
end

"One value line as `key => value`."
function readvalue(line::AbstractString)
    tokens = split(line, ' ')
    kind, key = tokens[1], decode(tokens[2])
    if kind == "array"
        dims = Tuple(parse(Int, token) for token in reverse(tokens[5:end]))
        return key => mapped(decode(tokens[4]), DTYPES[tokens[3]], dims)
    end
    kind == "str" && return key => decode(tokens[3])
    return key => parse(SCALARS[kind], tokens[3])
end

# The first folder with room for it takes the array.
function writearray(array::Array, folders::Vector{String}, number::Int)
    for (i, folder) in enumerate(folders)
        path = joinpath(folder, "reply-$number")
        try
            open(io -> write(io, array), path, "w")
            filesize(path) == sizeof(array) && return path  # a full disk may go unnoticed by `write`
            error("no room left for an array of $(sizeof(array)) bytes in $folder")
        catch
            rm(path, force = true)
            i == length(folders) && rethrow()
        end
    end
end

valueline(key, value::AbstractString, folders, number) = "str $(encode(key)) $(encode(value))"
valueline(key, value::Bool, folders, number) = "bool $(encode(key)) $value"
valueline(key, value::Integer, folders, number) = "int $(encode(key)) $(Int64(value))"
valueline(key, value::AbstractFloat, folders, number) = "float $(encode(key)) $(Float64(value))"
function valueline(key, value::AbstractArray, folders, number)
    haskey(NAMES, eltype(value)) || error("result \"$key\": arrays of $(eltype(value)) cannot be sent")
    path = writearray(convert(Array, value), folders, number)
    return join(["array", encode(key), NAMES[eltype(value)], encode(path), string.(reverse(size(value)))...], ' ')
end
valueline(key, value, folders, number) = error("result \"$key\": a $(typeof(value)) cannot be sent")

# --- functions of the server itself, called as `server.NAME` -------------------------------------------------------

"Everything that came in goes out again."
echo(inputs::Dict{String,Any}) = inputs

"The sizes of the arrays, as Julia sees them."
sizes(inputs::Dict{String,Any}) =
    Dict{String,Any}(key => collect(Int64, size(value)) for (key, value) in inputs if value isa AbstractArray)

"Throw what `message` says, from compiled code, a few frames deep."
fail(inputs::Dict{String,Any}) = thrower(get(inputs, "message", "boom"))
@noinline thrower(message) = error(message)

"Sleep `steps` times `seconds`, and count the steps as finished members in the file `progress`."
function count(inputs::Dict{String,Any})
    for _ in 1:inputs["steps"]
        sleep(inputs["seconds"])
        haskey(inputs, "progress") && open(io -> write(io, 0x2e), inputs["progress"], "a")
    end
    println("counted")  # on purpose: what a function prints must not reach the frames
    return Dict{String,Any}("threads" => Threads.nthreads(), "pid" => getpid())
end

const OWN = Dict{String,Function}(
    "server.echo" => echo, "server.sizes" => sizes, "server.fail" => fail, "server.count" => count)

"The function called `name`: one of the server's own, or one of the module, which is loaded when first asked for."
function resolve(name::String, modulename::Symbol)
    haskey(OWN, name) && return OWN[name]
    isdefined(Main, modulename) || Base.eval(Main, :(import $modulename))
    return Base.invokelatest(getproperty, Base.invokelatest(getproperty, Main, modulename), Symbol(name))
end

function answer(modulename::Symbol, name::String, lines::Vector{String}, folders::Vector{String})
    try
        inputs = Dict{String,Any}(readvalue(line) for line in lines)
        outputs = Base.invokelatest(resolve(name, modulename), inputs)
        replies = [valueline(String(key), value, folders, i) for (i, (key, value)) in enumerate(pairs(outputs))]
        return join(["result $(length(replies))"; replies], '\n')
    catch problem
        message = sprint(showerror, problem)
        stack = sprint(Base.show_backtrace, catch_backtrace())
        return "error $(encode(message)) $(encode(stack))"
    end
end

"Answer requests about the module called `modulename` from `input` on `output`, until the input ends."
function serve(modulename::Symbol; input::IO, output::IO)
    say(text) = (write(output, text, '\n'); flush(output))
    say("ready $(VERSION) $(Threads.nthreads()) $(getpid())")
    while !eof(input)
        tokens = split(readline(input), ' ')
        lines = [readline(input) for _ in 1:parse(Int, tokens[3])]
        say(answer(modulename, decode(tokens[2]), lines, decode.(tokens[4:end])))
    end
end

# The kernel ends this process with its parent (a busy worker would not read the end of its input).
function followparent(parent::Int)
    Sys.islinux() || return
    ccall(:prctl, Cint, (Cint, Culong, Culong, Culong, Culong), 1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG, SIGKILL
    ccall(:getppid, Cint, ()) == parent || exit(1)  # it died before we asked
end

function main(arguments::Vector{String})
    followparent(parse(Int, arguments[2]))
    output = fdio(ccall(:dup, Cint, (Cint,), 1), true)
    redirect_stdout(stderr)  # a println in a simulation goes to the log and cannot disturb the frames
    serve(Symbol(arguments[1]); input = stdin, output = output)
end

end

abspath(PROGRAM_FILE) == @__FILE__() && SeisflowServer.main(ARGS)
