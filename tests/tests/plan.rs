//! What a session needs, what the device has, and the refusal of what does not fit.

use std::{fs, path::Path};

use puna_core::{
    device::Device,
    kv_cache::KvType,
    model::Model,
    plan::DoesNotFit,
    session::{Session, SessionError, SessionOptions},
};
use puna_kernels::WeightType;
use puna_tests::tiny::{Shape, Tiny};

/// Writes files under a root.
fn root(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (file, text) in files {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn read(files: &[(&str, &str)]) -> Device {
    Device::read(root(files).path())
}

const MEMINFO: (&str, &str) = (
    "proc/meminfo",
    "MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    3000000 kB\n",
);

#[test]
fn a_device_that_tells_nothing_limits_nothing() {
    let device = read(&[]);
    assert_eq!(device, Device::default());
    assert_eq!(device.room_beside(1 << 30), None);
    let options = SessionOptions::default();
    let model = Tiny::new(Shape::of(WeightType::Q4_0)).model();
    let plan = model.plan_on(&options, device).unwrap();
    assert!(plan.check().is_ok());
    assert_eq!(plan.largest_n_ctx, Some(model.config().n_ctx_train));
}

#[test]
fn memory_that_is_available_counts() {
    let device = read(&[MEMINFO]);
    assert_eq!(device.available_bytes, Some(3_000_000 * 1024));
    // The mapped weights are in it, or still have to find their place in it.
    assert_eq!(device.room_beside(1 << 30), Some(3_000_000 * 1024));
}

#[test]
fn the_second_version_of_control_groups_is_read_up_to_the_top() {
    let own = ("proc/self/cgroup", "0::/app/inner\n");
    let stat = "anon 5\ninactive_file 100\nactive_file 20\ninactive_file_x 9\n";
    let device = read(&[
        own,
        ("sys/fs/cgroup/app/inner/memory.max", "max\n"),
        ("sys/fs/cgroup/app/inner/memory.high", "900\n"),
        ("sys/fs/cgroup/app/inner/memory.current", "400\n"),
        ("sys/fs/cgroup/app/inner/memory.stat", stat),
        ("sys/fs/cgroup/app/memory.max", "5000\n"),
        ("sys/fs/cgroup/app/memory.current", "4500\n"),
    ]);
    // 900 - (400 - 120) = 620 in the inner one, 500 in the one above.
    assert_eq!(device.cgroup_bytes, Some(500));
    // In a container the path is the host's, and the limits are at the top.
    let device = read(&[
        own,
        ("sys/fs/cgroup/memory.max", "1000\n"),
        ("sys/fs/cgroup/memory.current", "1\n"),
    ]);
    assert_eq!(device.cgroup_bytes, Some(999));
}

#[test]
fn the_first_version_of_control_groups_is_read() {
    let device = read(&[
        ("proc/self/cgroup", "4:cpu,memory:/a\n1:cpuset:/b\n0::/\n"),
        ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "3000\n"),
        ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "2500\n"),
        (
            "sys/fs/cgroup/memory/a/memory.stat",
            "total_inactive_file 500\ntotal_active_file 7\n",
        ),
        // No limit.
        (
            "sys/fs/cgroup/memory/memory.limit_in_bytes",
            "9223372036854771712\n",
        ),
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", "9000\n"),
    ]);
    assert_eq!(device.cgroup_bytes, Some(3_000 - (2_500 - 507)));
}

#[test]
fn limits_of_the_process_leave_out_the_mapped_file() {
    let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                  Max data size             unlimited            unlimited            bytes     \n\
                  Max address space         1048576              2097152              bytes     \n";
    let status = "Name:\tpuna\nVmSize:\t     900 kB\nVmData:\t     30 kB\n";
    let device = read(&[
        ("proc/self/limits", limits),
        ("proc/self/status", status),
        MEMINFO,
    ]);
    assert_eq!(device.address_space_bytes, Some(124 * 1024));
    assert_eq!(device.data_bytes, None);
    assert_eq!(device.room_beside(4096), Some(124 * 1024 + 4096));
}

#[test]
#[cfg(any(target_os = "linux", target_os = "android"))]
fn this_machine_tells_what_is_available() {
    assert!(Path::new("/proc/meminfo").exists());
    let device = Device::of_this_machine();
    assert!(device.available_bytes > Some(1 << 20), "{device:?}");
}

fn with_context(n_ctx_train: u32) -> Model {
    let mut tiny = Tiny::new(Shape::of(WeightType::Q4_0));
    tiny.set("llama.context_length", n_ctx_train);
    tiny.model()
}

fn options(n_ctx: usize, kv: KvType) -> SessionOptions {
    SessionOptions {
        n_ctx: Some(n_ctx),
        kv,
        n_threads: Some(2),
        ..SessionOptions::default()
    }
}

#[test]
fn a_session_holds_what_was_planned() {
    let model = with_context(4_096);
    for kv in [KvType::F16, KvType::Q8_0, KvType::F32] {
        for exact in [false, true] {
            for (n_ctx, n_batch) in [(1, 512), (300, 7), (4_096, 512)] {
                let options = SessionOptions {
                    n_batch,
                    exact,
                    ..options(n_ctx, kv)
                };
                let needs = model.plan(&options).unwrap().needs;
                let memory = Session::new(&model, &options).unwrap().memory();
                assert_eq!(needs.weights_bytes, memory.weights_bytes);
                assert_eq!(needs.kv_bytes, memory.kv_bytes);
                assert_eq!(needs.scratch_bytes, memory.scratch_bytes);
            }
        }
    }
}

#[test]
fn the_largest_context_fits_and_one_token_more_does_not() {
    let model = with_context(100_000);
    let plan = |n_ctx, bytes| {
        let device = Device {
            available_bytes: Some(bytes),
            ..Device::default()
        };
        model
            .plan_on(&options(n_ctx, KvType::Q8_0), device)
            .unwrap()
    };
    for bytes in [3 << 20, 10 << 20, 20 << 20] {
        let refused = plan(100_000, bytes).check().unwrap_err();
        let DoesNotFit {
            n_ctx,
            needs,
            has,
            largest_n_ctx,
        } = refused;
        let largest = largest_n_ctx.unwrap();
        assert_eq!((n_ctx, has), (100_000, bytes));
        assert!(needs > has && largest < n_ctx);
        assert!(plan(largest, bytes).check().is_ok());
        assert!(plan(largest + 1, bytes).check().is_err());
        let said = refused.to_string();
        for number in [needs, has, largest as u64] {
            assert!(said.contains(&number.to_string()), "{said}");
        }
    }
    let nothing = plan(1, 1000).check().unwrap_err();
    assert_eq!(nothing.largest_n_ctx, None);
    assert!(nothing.to_string().contains("not even"), "{nothing}");
}

#[test]
fn a_context_of_four_billion_tokens_is_refused_with_numbers() {
    let model = with_context(u32::MAX);
    let n_ctx = u32::MAX as usize;
    for kv in [KvType::F16, KvType::Q8_0, KvType::F32] {
        let options = SessionOptions {
            n_batch: usize::MAX,
            n_threads: Some(usize::MAX),
            ..options(n_ctx, kv)
        };
        let refused = Session::new(&model, &options).map(drop).unwrap_err();
        assert!(matches!(refused, SessionError::DoesNotFit(_)), "{refused}");
        let refused = Session::new(&model, &self::options(n_ctx, kv)).map(drop);
        match refused.unwrap_err() {
            SessionError::DoesNotFit(refused) => {
                assert_eq!(refused.n_ctx, n_ctx);
                assert!(refused.largest_n_ctx < Some(n_ctx));
                assert!(refused.needs > refused.has);
            }
            other => panic!("{other}"),
        }
        let plan = model.plan(&self::options(n_ctx, kv)).unwrap();
        assert_eq!(
            plan.needs.kv_bytes,
            kv.bytes(model.config(), n_ctx).unwrap() as u64
        );
    }
    let beyond = model.plan(&options(usize::MAX, KvType::F16));
    assert!(matches!(beyond, Err(SessionError::Context { .. })));
}
