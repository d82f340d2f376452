# Generated from manifests/images.yaml by `make locks`; a test compares the two.
# The contexts are filled by `orchestrate images build --prepare`.
variable "REGISTRY" {
  default = "127.0.0.1:5000/orbitbench"
}
variable "VERSION" {
  default = "0.1.0"
}
variable "REVISION" {
  default = "unknown"
}
variable "CREATED" {
  default = ""
}
group "default" {
  targets = ["pi4-arm64", "pi4-amd64", "jetson-tx2-arm64", "jetson-xavier-arm64", "jetson-orin-arm64", "jetson-xavier-r32-arm64", "jetson-thor-arm64", "tensorrt-amd64", "cuda-amd64"]
}
target "pi4-arm64" {
  context   = "build/images/pi4-arm64-cp311"
  platforms = ["linux/arm64"]
  args      = { BASE = "docker.io/library/python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b" }
  tags      = ["${REGISTRY}/pi4:${VERSION}-arm64"]
  labels = {
    "org.opencontainers.image.base.digest" = "sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b"
    "org.opencontainers.image.base.name" = "docker.io/library/python:3.11-slim-bookworm"
    "org.opencontainers.image.created" = CREATED
    "org.opencontainers.image.description" = "ONNX Runtime on the CPU of a Raspberry Pi 4 or 5, and of any arm64 or amd64 machine"
    "org.opencontainers.image.licenses" = "Apache-2.0"
    "org.opencontainers.image.revision" = REVISION
    "org.opencontainers.image.source" = "https://github.com/orbitbench/orbitbench"
    "org.opencontainers.image.title" = "orbitbench pi4"
    "org.opencontainers.image.version" = VERSION
    "org.orbitbench.packages" = "numpy==1.26.4 onnxruntime==1.23.2"
    "org.orbitbench.python" = "3.11"
  }
  output = ["type=docker,compression=gzip"]
  attest = ["type=provenance,disabled=true", "type=sbom,disabled=true"]
}
target "pi4-amd64" {
  context   = "build/images/pi4-amd64-cp311"
  platforms = ["linux/amd64"]
  args      = { BASE = "docker.io/library/python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b" }
  tags      = ["${REGISTRY}/pi4:${VERSION}-amd64"]
  labels = {
    "org.opencontainers.image.base.digest" = "sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b"
    "org.opencontainers.image.base.name" = "docker.io/library/python:3.11-slim-bookworm"
    "org.opencontainers.image.created" = CREATED
    "org.opencontainers.image.description" = "ONNX Runtime on the CPU of a Raspberry Pi 4 or 5, and of any arm64 or amd64 machine"
    "org.opencontainers.image.licenses" = "Apache-2.0"
    "org.opencontainers.image.revision" = REVISION
    "org.opencontainers.image.source" = "https://github.com/orbitbench/orbitbench"
    "org.opencontainers.image.title" = "orbitbench pi4"
    "org.opencontainers.image.version" = VERSION
    "org.orbitbench.packages" = "numpy==1.26.4 onnxruntime==1.23.2"
    "org.orbitbench.python" = "3.11"
  }
  output = ["type=docker,compression=gzip"]
  attest = ["type=provenance,disabled=true", "type=sbom,disabled=true"]
}
target "jetson-tx2-arm64" {
  context   = "build/images/jetson-tx2-arm64-cp36"
  platforms = ["linux/arm64"]
  args      = { BASE = "nvcr.io/nvidia/l4t-base:r32.7.1" }
  tags      = ["${REGISTRY}/jetson-tx2:${VERSION}-arm64"]
  labels = {
    "org.opencontainers.image.base.name" = "nvcr.io/nvidia/l4t-base:r32.7.1"
    "org.opencontainers.image.created" = CREATED
    "org.opencontainers.image.description" = "TensorRT 8.2 on a Jetson TX2 with JetPack 4.6; CUDA and TensorRT are mounted from the board"
    "org.opencontainers.image.licenses" = "Apache-2.0"
    "org.opencontainers.image.revision" = REVISION
    "org.opencontainers.image.source" = "https://github.com/orbitbench/orbitbench"
    "org.opencontainers.image.title" = "orbitbench jetson-tx2"
    "org.opencontainers.image.version" = VERSION
    "org.orbitbench.packages" = "numpy==1.19.4"
    "org.orbitbench.python" = "3.6"
  }
  output = ["type=docker,compression=gzip"]
  attest = ["type=provenance,disabled=true", "type=sbom,disabled=true"]
}
target "jetson-xavier-arm64" {
  context   = "build/images/jetson-xavier-arm64-cp38"
  platforms = ["linux/arm64"]
  args      = { BASE = "nvcr.io/nvidia/l4t-jetpack:r35.4.1@sha256:d1c8e971ab994235840eacc31c4ef4173bf9156317b1bf8aabe7e01eb21b2a0e" }
  tags      = ["${REGISTRY}/jetson-xavier:${VERSION}-arm64"]
  labels = {
    "org.opencontainers.image.base.digest" = "sha256:d1c8e971ab994235840eacc31c4ef4173bf9156317b1bf8aabe7e01eb21b2a0e"
    "org.opencontainers.image.base.name" = "nvcr.io/nvidia/l4t-jetpack:r35.4.1"
    "org.opencontainers.image.created" = CREATED
    "org.opencontainers.image.description" = "TensorRT 8.5 on a Jetson AGX Xavier with JetPack 5.1"
    "org.opencontainers.image.licenses" = "Apache-2.0"
    "org.opencontainers.image.revision" = REVISION
    "org.opencontainers.image.source" = "https://github.com/orbitbench/orbitbench"
    "org.opencontainers.image.title" = "orbitbench jetson-xavier"
    "org.opencontainers.image.version" = VERSION
    "org.orbitbench.packages" = "numpy==1.23.5"
    "org.orbitbench.python" = "3.8"
  }
  output = ["type=docker,compression=gzip"]
  attest = ["type=provenance,disabled=true", "type=sbom,disabled=true"]
}
target "jetson-orin-arm64" {
  context   = "build/images/jetson-orin-arm64-cp310"
  platforms = ["linux/arm64"]
  args      = { BASE = "nvcr.io/nvidia/l4t-jetpack:r36.4.0@sha256:34ccf0f3b63c6da9eee45f2e79de9bf7fdf3beda9abfd72bbf285ae9d40bb673" }
  tags      = ["${REGISTRY}/jetson-orin:${VERSION}-arm64"]
  labels = {
    "org.opencontainers.image.base.digest" = "sha256:34ccf0f3b63c6da9eee45f2e79de9bf7fdf3beda9abfd72bbf285ae9d40bb673"
    "org.opencontainers.image.base.name" = "nvcr.io/nvidia/l4t-jetpack:r36.4.0"
    "org.opencontainers.image.created" = CREATED
    "org.opencontainers.image.description" = "TensorRT 10.3 on a Jetson Orin with JetPack 6.1 or 6.2"
    "org.opencontainers.image.licenses" = "Apache-2.0"
    "org.opencontainers.image.revision" = REVISION
    "org.opencontainers.image.source" = "https://github.com/orbitbench/orbitbench"
    "org.opencontainers.image.title" = "orbitbench jetson-orin"
    "org.opencontainers.image.version" = VERSION
    "org.orbitbench.packages" = "numpy==1.26.4"
    "org.orbitbench.python" = "3.10"
  }
  output = ["type=docker,compression=gzip"]
  attest = ["type=provenance,disabled=true", "type=sbom,disabled=true"]
}
target "jetson-xavier-r32-arm64" {
  context   = "build/images/jetson-xavier-r32-arm64-cp36"
  platforms = ["linux/arm64"]
  args      = { BASE = "nvcr.io/nvidia/l4t-base:r32.7.1" }
  tags      = ["${REGISTRY}/jetson-xavier-r32:${VERSION}-arm64"]
  labels = {
    "org.opencontainers.image.base.name" = "nvcr.io/nvidia/l4t-base:r32.7.1"
    "org.opencontainers.image.created" = CREATED
    "org.opencontainers.image.description" = "The same Dockerfile on L4T r32, to repeat measurements made with JetPack 4 on an AGX Xavier"
    "org.opencontainers.image.licenses" = "Apache-2.0"
    "org.opencontainers.image.revision" = REVISION
    "org.opencontainers.image.source" = "https://github.com/orbitbench/orbitbench"
    "org.opencontainers.image.title" = "orbitbench jetson-xavier-r32"
    "org.opencontainers.image.version" = VERSION
    "org.orbitbench.packages" = "numpy==1.19.4"
    "org.orbitbench.python" = "3.6"
  }
  output = ["type=docker,compression=gzip"]
  attest = ["type=provenance,disabled=true", "type=sbom,disabled=true"]
}
target "jetson-thor-arm64" {
  context   = "build/images/jetson-thor-arm64-cp312"
  platforms = ["linux/arm64"]
  args      = { BASE = "nvcr.io/nvidia/tensorrt:25.09-py3" }
  tags      = ["${REGISTRY}/jetson-thor:${VERSION}-arm64"]
  labels = {
    "org.opencontainers.image.base.name" = "nvcr.io/nvidia/tensorrt:25.09-py3"
    "org.opencontainers.image.created" = CREATED
    "org.opencontainers.image.description" = "TensorRT 10.13 on a Jetson Thor with JetPack 7"
    "org.opencontainers.image.licenses" = "Apache-2.0"
    "org.opencontainers.image.revision" = REVISION
    "org.opencontainers.image.source" = "https://github.com/orbitbench/orbitbench"
    "org.opencontainers.image.title" = "orbitbench jetson-thor"
    "org.opencontainers.image.version" = VERSION
    "org.orbitbench.packages" = "numpy==1.26.4"
    "org.orbitbench.python" = "3.12"
  }
  output = ["type=docker,compression=gzip"]
  attest = ["type=provenance,disabled=true", "type=sbom,disabled=true"]
}
target "tensorrt-amd64" {
  context   = "build/images/tensorrt-amd64-cp312"
  platforms = ["linux/amd64"]
  args      = { BASE = "nvcr.io/nvidia/tensorrt:25.09-py3" }
  tags      = ["${REGISTRY}/tensorrt:${VERSION}-amd64"]
  labels = {
    "org.opencontainers.image.base.name" = "nvcr.io/nvidia/tensorrt:25.09-py3"
    "org.opencontainers.image.created" = CREATED
    "org.opencontainers.image.description" = "TensorRT 10.13 on x86 machines with an NVIDIA GPU"
    "org.opencontainers.image.licenses" = "Apache-2.0"
    "org.opencontainers.image.revision" = REVISION
    "org.opencontainers.image.source" = "https://github.com/orbitbench/orbitbench"
    "org.opencontainers.image.title" = "orbitbench tensorrt"
    "org.opencontainers.image.version" = VERSION
    "org.orbitbench.packages" = "numpy==1.26.4"
    "org.orbitbench.python" = "3.12"
  }
  output = ["type=docker,compression=gzip"]
  attest = ["type=provenance,disabled=true", "type=sbom,disabled=true"]
}
target "cuda-amd64" {
  context   = "build/images/cuda-amd64-cp311"
  platforms = ["linux/amd64"]
  args      = { BASE = "docker.io/library/python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b" }
  tags      = ["${REGISTRY}/cuda:${VERSION}-amd64"]
  labels = {
    "org.opencontainers.image.base.digest" = "sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b"
    "org.opencontainers.image.base.name" = "docker.io/library/python:3.11-slim-bookworm"
    "org.opencontainers.image.created" = CREATED
    "org.opencontainers.image.description" = "Search and training on x86 machines with an NVIDIA GPU, alone or as a Ray cluster"
    "org.opencontainers.image.licenses" = "Apache-2.0"
    "org.opencontainers.image.revision" = REVISION
    "org.opencontainers.image.source" = "https://github.com/orbitbench/orbitbench"
    "org.opencontainers.image.title" = "orbitbench cuda"
    "org.opencontainers.image.version" = VERSION
    "org.orbitbench.packages" = "Jinja2==3.1.6 MarkupSafe==3.0.4 PyYAML==6.0.3 Pygments==2.21.0 annotated-doc==0.0.7 annotated-types==0.8.0 attrs==26.1.0 certifi==2026.10.18 charset-normalizer==3.5.2 click==8.5.1 cloudpickle==3.1.2 coloredlogs==15.0.1 cuda-bindings==13.5.0 cuda-pathfinder==1.9.0 cuda-toolkit==13.0.3.0 filelock==4.2.11 flatbuffers==25.12.19 fsspec==2026.9.0 humanfriendly==10.0 idna==3.20 joblib==1.6.0 jsonschema==4.26.0 jsonschema-specifications==2025.9.1 markdown-it-py==4.3.0 mdurl==0.1.2 ml_dtypes==0.6.0 mpmath==1.3.0 msgpack==1.2.4 narwhals==2.29.0 networkx==3.6.1 numpy==2.4.6 nvidia-cublas==13.1.1.3 nvidia-cuda-cupti==13.0.85 nvidia-cuda-nvrtc==13.0.88 nvidia-cuda-runtime==13.0.96 nvidia-cudnn-cu13==9.20.0.48 nvidia-cufft==12.0.0.61 nvidia-cufile==1.15.1.6 nvidia-curand==10.4.0.35 nvidia-cusolver==12.0.4.66 nvidia-cusparse==12.6.3.3 nvidia-cusparselt-cu13==0.8.1 nvidia-nccl-cu13==2.29.7 nvidia-nvjitlink==13.5.37 nvidia-nvshmem-cu13==3.4.5 nvidia-nvtx==13.0.85 onnx==1.23.2 onnxruntime==1.23.2 packaging==26.3 pillow==13.0.0 protobuf==7.36.2 pydantic==2.14.3 pydantic_core==2.50.4 ray==2.60.0 referencing==0.37.0 requests==2.34.2 rich==15.0.0 rpds-py==2026.9.1 scikit-learn==1.9.1 scipy==1.17.1 setuptools==84.2.1 shellingham==1.5.4 sympy==1.14.0 threadpoolctl==3.8.0 torch==2.13.0 triton==3.7.1 typer==0.29.2 typing-inspection==0.4.5 typing_extensions==4.16.0 urllib3==2.8.0"
    "org.orbitbench.python" = "3.11"
  }
  output = ["type=docker,compression=gzip"]
  attest = ["type=provenance,disabled=true", "type=sbom,disabled=true"]
}
