# The llama.cpp that axon is built with: the one place that names it.
# README.md says what to review when it moves. Read by build.sh and scripts/notices.sh.
# shellcheck shell=bash disable=SC2034

LLAMA_VERSION=v0.5.0 # llama.cpp's release
GGML_VERSION=0.25.1  # the ggml inside it, compared with the linked library at start-up
LLAMA_COMMIT=de3ff815ea7d559ee917f063901b8986f038abc6 # the bundle's only commit

# The npm package that carries the release as a git bundle, and the sha512 of its tarball.
LLAMA_PACKAGE=node-llama-cpp@3.22.1
LLAMA_INTEGRITY=sha512-bltIipuWmc123H7tMIgDGKSsSrhmhlQYeVUC48XTjVW7XGJJiJJyCdlTMzQ/LiWoPkGDpcL4FviDpgw7qfTiDw==
LLAMA_BUNDLE=package/llama/gitRelease.bundle
