# The whole system in one image: the same binary runs every role.
FROM docker.io/library/rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make libclang-dev librocksdb-dev libssl-dev pkg-config zlib1g-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ENV ROCKSDB_INCLUDE_DIR=/usr/include CARGO_TARGET_DIR=/target
RUN ROCKSDB_LIB_DIR="$(dirname /usr/lib/*/librocksdb.so)" cargo build --release --locked --package greenlight

FROM docker.io/library/debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates librocksdb7.8 libssl3 zlib1g \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /target/release/greenlight /usr/local/bin/greenlight
WORKDIR /usr/share/greenlight
COPY config config
COPY schemas schemas
COPY replay/catalogue replay/catalogue
VOLUME /var/lib/greenlight
ENTRYPOINT ["greenlight"]
