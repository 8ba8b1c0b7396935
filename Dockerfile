# The programs of payonce as static files in an image without a shell.
#   docker build --target payonce .   worker, ingress, archive, console, notifier, payctl: for production
#   docker build --target test .     these, and the providers' sandbox with what a test environment needs
# An image's tag is a version; a registry's digest pins it further: --build-arg BASE=name@sha256:...
ARG GO_IMAGE=golang:1.26.8
ARG BASE=gcr.io/distroless/static-debian12:nonroot

FROM ${GO_IMAGE} AS build
# Where modules come from; an internal proxy where there is no way to the internet.
ARG GOPROXY=https://proxy.golang.org,direct
ARG GOSUMDB=sum.golang.org
ENV GOPROXY=${GOPROXY} GOSUMDB=${GOSUMDB} CGO_ENABLED=0
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY cmd cmd
COPY deploy deploy
COPY internal internal
COPY pkg pkg
COPY test test
# What --version prints, as make release gives it: git is not in the image.
ARG STAMP=
RUN go build -trimpath -buildvcs=false -ldflags "-s -w $STAMP" -o /bin/payonce/ ./cmd/worker ./cmd/ingress ./cmd/archive ./cmd/console ./cmd/notifier ./cmd/payctl \
 && go build -trimpath -buildvcs=false -ldflags "-s -w $STAMP" -o /bin/testenv/ ./cmd/sandbox ./cmd/testenv

FROM ${BASE} AS payonce
COPY --from=build /bin/payonce/ /usr/local/bin/
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
CMD ["/usr/local/bin/worker", "--config", "/etc/payonce/payonce.yaml"]

FROM payonce AS test
COPY --from=build /bin/testenv/ /usr/local/bin/
CMD ["/usr/local/bin/sandbox", "--help"]
