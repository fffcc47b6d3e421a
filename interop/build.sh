#!/bin/sh
# Builds target/interop.jar once; does nothing when it is newer than every source. Prints the jar's path.
set -eu
cd "$(dirname "$0")"
jar=target/interop.jar
if [ -f "$jar" ] && [ -z "$(find pom.xml src -newer "$jar" -print -quit)" ]; then
    echo "$PWD/$jar"
    exit 0
fi
for tool in java mvn; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        echo "interop: '$tool' is missing. The tests against stock Hollow need Java 17 and Maven:" >&2
        echo "interop: on Debian, apt-get install openjdk-17-jdk-headless maven" >&2
        exit 1
    fi
done
mkdir -p target
exec 9>target/.build-lock
if command -v flock >/dev/null 2>&1; then
    flock 9
    if [ -f "$jar" ] && [ -z "$(find pom.xml src -newer "$jar" -print -quit)" ]; then
        echo "$PWD/$jar"
        exit 0
    fi
fi
# Offline first: after the first build everything is in Maven's local repository.
mvn -q -B -o package >target/build.log 2>&1 || mvn -q -B package >target/build.log 2>&1 || {
    cat target/build.log >&2
    echo "interop: Maven could not build the Java side; the first build needs Maven Central for Hollow and the plugins" >&2
    exit 1
}
touch "$jar"
echo "$PWD/$jar"
