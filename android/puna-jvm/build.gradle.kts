// The same wrapper for desktops and for an app's tests on the JVM, with the native library for this machine in its jar,
// where JNA finds it. `cargo xtask kotlin --jar` makes the same jar without Gradle.
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

val natives by tasks.registering(Copy::class) {
    dependsOn(cargo)
    val mac = System.getProperty("os.name").startsWith("Mac")
    val arm = System.getProperty("os.arch") in listOf("aarch64", "arm64")
    // As JNA names systems.
    val platform = (if (mac) "darwin" else "linux") + if (arm) "-aarch64" else "-x86-64"
    from(workspace.resolve("target/release/${System.mapLibraryName("puna_ffi")}"))
    into(layout.buildDirectory.dir("natives/$platform"))
}

sourceSets.main { resources.srcDir(layout.buildDirectory.dir("natives")) }
tasks.processResources { dependsOn(natives) }

dependencies {
    api(libs.coroutines.core)
    implementation(libs.jna)
}
