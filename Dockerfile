# syntax=docker/dockerfile:1
# The indexer and what it needs to run: the C library, certificates, a user. No shell.
#
#   make image                                              # this machine's platform, stamped
#   docker buildx build --platform linux/amd64,linux/arm64 .
#
# The bases are arguments, for a mirror or a digest: --build-arg GO_IMAGE=… RUNTIME_IMAGE=…
# GO_IMAGE: Go (not older than go.mod says) and gcc, on a C library not newer than the
# runtime's. RUNTIME_IMAGE: glibc 2.28 or newer, and CA certificates.
ARG GO_IMAGE=docker.io/library/golang:1.26.8-bookworm
ARG RUNTIME_IMAGE=gcr.io/distroless/base-nossl-debian12:nonroot

# On the builder's own platform: a C compiler for another one is faster than emulation.
FROM --platform=$BUILDPLATFORM ${GO_IMAGE} AS build
ARG BUILDARCH
ARG TARGETARCH
# hadolint ignore=DL3008
RUN if [ "$TARGETARCH" != "$BUILDARCH" ]; then \
      case "$TARGETARCH" in \
        amd64) cross=x86-64-linux-gnu ;; \
        arm64) cross=aarch64-linux-gnu ;; \
        *) echo "librdkafka is not built in for $TARGETARCH: amd64 and arm64 are" >&2; exit 1 ;; \
      esac; \
      apt-get update && \
      apt-get install -y --no-install-recommends "gcc-$cross" "libc6-dev-$TARGETARCH-cross" && \
      rm -rf /var/lib/apt/lists/*; \
    fi

WORKDIR /src
# Where modules come from; a build without network gives a folder (file:///…).
ARG GOPROXY=https://proxy.golang.org,direct
COPY go.mod go.sum ./
RUN go mod download

COPY cmd ./cmd
COPY internal ./internal
ARG VERSION=dev
ARG COMMIT=
# cgo links librdkafka in: the Kafka client brings it for glibc as an archive.
RUN --mount=type=cache,target=/root/.cache/go-build \
    case "$TARGETARCH" in amd64) cc=x86_64-linux-gnu-gcc ;; arm64) cc=aarch64-linux-gnu-gcc ;; esac && \
    CGO_ENABLED=1 GOOS=linux GOARCH="$TARGETARCH" CC="$cc" \
    go build -trimpath -buildvcs=false \
      -ldflags "-s -w -X main.version=$VERSION -X main.commit=$COMMIT" \
      -o /out/indexer ./cmd/indexer

FROM ${RUNTIME_IMAGE}
COPY --from=build /out/indexer /usr/local/bin/indexer
# A number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532:65532
# Probes, metrics and the page (HTTP_ADDR).
EXPOSE 8080
ENTRYPOINT ["/usr/local/bin/indexer"]
CMD ["run"]

# Last: they change with every commit, and none of the layers above has to.
ARG VERSION=dev
ARG COMMIT=
ARG CREATED=
ARG SOURCE=
ARG RUNTIME_IMAGE
LABEL org.opencontainers.image.title="search-indexer" \
      org.opencontainers.image.description="Keeps a search index true to events from Kafka" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$COMMIT" \
      org.opencontainers.image.created="$CREATED" \
      org.opencontainers.image.source="$SOURCE" \
      org.opencontainers.image.base.name="$RUNTIME_IMAGE"
