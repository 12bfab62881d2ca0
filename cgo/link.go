package llama

// Everything is linked statically, libstdc++ too, so that the binary needs
// nothing but the C library. --as-needed comes last: it drops the shared
// libstdc++ that the C++ linker driver names after our archive has served.

/*
#cgo CPPFLAGS: -I${SRCDIR}/../third_party/llama.cpp/dist/include
#cgo CXXFLAGS: -std=c++17 -Wall -Wno-unused-function
#cgo LDFLAGS: -L${SRCDIR}/../third_party/llama.cpp/dist/lib
#cgo !cuda,!vulkan,!metal LDFLAGS: -lllama -lggml -lggml-cpu -lggml-base
#cgo cuda LDFLAGS: -lllama -lggml -lggml-cpu -lggml-cuda -lggml-base -lcudart -lcublas -lcublasLt -lcuda
#cgo vulkan LDFLAGS: -lllama -lggml -lggml-cpu -lggml-vulkan -lggml-base -lvulkan
#cgo metal LDFLAGS: -lllama -lggml -lggml-cpu -lggml-metal -lggml-blas -lggml-base
#cgo rpc LDFLAGS: -lggml-rpc -lggml-base
#cgo linux LDFLAGS: -l:libstdc++.a -static-libgcc -lm -lpthread -Wl,--as-needed
#cgo darwin LDFLAGS: -lc++ -framework Accelerate -framework Foundation -framework Metal -framework MetalKit
*/
import "C"
