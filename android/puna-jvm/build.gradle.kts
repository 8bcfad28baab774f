// The same wrapper for desktops and for an app's tests on the JVM. It looks for libpuna_ffi where `jna.library.path`
// says: `cargo build --release --package puna-ffi` makes it.
plugins {
    alias(libs.plugins.kotlin.jvm)
}

kotlin { jvmToolchain(17) }

val generated = layout.buildDirectory.dir("generated/uniffi")

sourceSets.main {
    kotlin.srcDirs("../puna/src/common/kotlin", generated)
}

val workspace = rootDir.parentFile!!

val cargo by tasks.registering(Exec::class) {
    workingDir = workspace
    commandLine("cargo", "build", "--locked", "--release", "--package", "puna-ffi")
}

val bindgen by tasks.registering(Exec::class) {
    dependsOn(cargo)
    workingDir = workspace
    val library = workspace.resolve("target/release/${System.mapLibraryName("puna_ffi")}")
    commandLine(
        "cargo", "run", "--locked", "--package", "puna-bindgen", "--", "generate", "--language", "kotlin",
        "--no-format", "--config", "ffi/bindings.toml", "--out-dir", generated.get().asFile, library,
    )
}

tasks.compileKotlin { dependsOn(bindgen) }

dependencies {
    api(libs.coroutines.core)
    implementation(libs.jna)
}
