# The whole system in one image: the same binary runs every role.
FROM docker.io/library/rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make libclang-dev librocksdb-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
ENV ROCKSDB_INCLUDE_DIR=/usr/include CARGO_TARGET_DIR=/target
RUN ROCKSDB_LIB_DIR="$(dirname /usr/lib/*/librocksdb.so)" cargo build --release --locked --package greenlight

FROM docker.io/library/debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends librocksdb7.8 \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /target/release/greenlight /usr/local/bin/greenlight
COPY replay/catalogue /usr/share/greenlight/catalogue
VOLUME /var/lib/greenlight
ENV GREENLIGHT_DIR=/var/lib/greenlight
ENTRYPOINT ["greenlight"]
