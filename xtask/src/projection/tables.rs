//! Published figures of machines, and the shapes of models.

/// CPU models of llvm-mca that stand for cores that they are near to.
pub const MODELLED: [&str; 5] = [
    "Cortex-X3",
    "Cortex-X4",
    "Cortex-A715",
    "Cortex-A710",
    "Cortex-A720",
];

/// Cores of one kind.
pub struct Cluster {
    pub cores: usize,
    pub name: &'static str,
    /// The highest clock.
    pub gigahertz: f64,
    /// The CPU model whose cycles are taken.
    pub model: &'static str,
}

/// A machine: the cores that Puna uses there, and its memory.
pub struct Soc {
    pub name: &'static str,
    /// The tier of `arm-cost.json`.
    pub tier: &'static str,
    pub clusters: &'static [Cluster],
    /// Bytes a second: of the memory's interface.
    pub peak: f64,
    /// What engines on the CPU were seen to reach, from and to.
    pub reached: (f64, f64),
    pub sources: &'static str,
}

impl Soc {
    /// Whether a CPU model is near each of its cores.
    pub fn is_modelled(&self) -> bool {
        let mut clusters = self.clusters.iter();
        clusters.all(|cluster| MODELLED.contains(&cluster.name))
    }
}

const fn cluster(cores: usize, name: &'static str, gigahertz: f64, model: &'static str) -> Cluster {
    Cluster {
        cores,
        name,
        gigahertz,
        model,
    }
}

const V2: &str = "neoverse-v2";
const N2: &str = "neoverse-n2";

/// The machines.
pub const SOCS: [Soc; 4] = [
    Soc {
        name: "Snapdragon 8 Gen 2",
        tier: "i8mm",
        clusters: &[
            cluster(1, "Cortex-X3", 3.2, V2),
            cluster(2, "Cortex-A715", 2.8, N2),
            cluster(2, "Cortex-A710", 2.8, N2),
        ],
        peak: 67e9,
        reached: (22e9, 22e9),
        sources: "clocks: nanoreview.net/en/soc/qualcomm-snapdragon-8-gen-2; memory: LPDDR5X at 4,200 MHz on 64 bits \
                  (wccftech.com, \"Snapdragon 8 Gen 2 goes official\"); reached: at most 22 GB/s, llama.cpp#26957",
    },
    Soc {
        name: "Snapdragon 8 Gen 3",
        tier: "i8mm",
        clusters: &[
            cluster(1, "Cortex-X4", 3.3, V2),
            cluster(3, "Cortex-A720", 3.2, N2),
            cluster(2, "Cortex-A720", 3.0, N2),
        ],
        peak: 76.8e9,
        reached: (42e9, 44e9),
        sources: "clocks: knowtechie.com/qualcomm-unveils-snapdragon-8-elite, its table; memory: LPDDR5X-9600 on 64 bits; \
                  reached: derived from \
                  ExecuTorch's 10.85 tokens/s of an 8B model on a OnePlus 12",
    },
    Soc {
        name: "Snapdragon 8 Elite",
        tier: "dotprod",
        clusters: &[cluster(2, "Oryon", 4.32, V2), cluster(6, "Oryon", 3.53, V2)],
        peak: 84.8e9,
        reached: (35e9, 47e9),
        sources: "clocks: knowtechie.com/qualcomm-unveils-snapdragon-8-elite; memory: LPDDR5X-10600, geektopia.es of \
                  2024-10-22 (phones with LPDDR5X-9600: 77 GB/s); reached: about 35 GB/s derived from MNN#4378, about 47 from llama.cpp's 12.5 tokens/s of \
                  Llama-2-7B Q4_0 on a OnePlus 13 (imi2/llama-2-7b-chat-pure-Q4_0-gguf)",
    },
    Soc {
        name: "Snapdragon X Elite",
        tier: "dotprod",
        clusters: &[cluster(12, "Oryon", 3.4, V2)],
        peak: 135e9,
        reached: (76e9, 76e9),
        sources: "the clock of all cores together: notebookcheck.net of the X1E-80-100; memory: LPDDR5X-8448 on 128 bits; \
                  reached: derived from T-MAC's 22 tokens/s of a 7B model at 4 bits",
    },
];

/// The weight types of a model's layers.
pub enum Types {
    All(&'static str),
    /// llama.cpp's Q4_K_M: `attn_v` and `ffn_down` of half of the layers in Q6_K, the rest in Q4_K.
    Q4KM,
}

/// A model of the `llama` architecture.
pub struct Model {
    pub name: &'static str,
    pub layers: usize,
    pub width: usize,
    /// Of keys, and of values.
    pub kv_width: usize,
    pub ffn: usize,
    pub vocabulary: usize,
    pub types: Types,
    /// The type of the output matrix, whether it is the embedding too or not.
    pub output: &'static str,
}

/// The models.
pub const MODELS: [Model; 4] = [
    Model {
        name: "SmolLM2-135M Q4_1",
        layers: 30,
        width: 576,
        kv_width: 192,
        ffn: 1536,
        vocabulary: 49_152,
        types: Types::All("Q4_1"),
        output: "Q8_0",
    },
    Model {
        name: "TinyLlama-1.1B Q4_0",
        layers: 22,
        width: 2048,
        kv_width: 256,
        ffn: 5632,
        vocabulary: 32_000,
        types: Types::All("Q4_0"),
        output: "Q6_K",
    },
    LLAMA_2_7B,
    Model {
        name: "Llama-2-7B Q4_K_M",
        types: Types::Q4KM,
        ..LLAMA_2_7B
    },
];

const LLAMA_2_7B: Model = Model {
    name: "Llama-2-7B Q4_0",
    layers: 32,
    width: 4096,
    kv_width: 4096,
    ffn: 11_008,
    vocabulary: 32_000,
    types: Types::All("Q4_0"),
    output: "Q6_K",
};

/// Weights of one type that every token meets.
pub struct Matrix {
    pub ty: &'static str,
    pub weights: f64,
    pub is_output: bool,
}

impl Matrix {
    /// In the file.
    pub fn bytes(&self) -> f64 {
        // Bytes of a block by its weights.
        let (bytes, weights) = match self.ty {
            "Q4_0" => (18.0, 32.0),
            "Q4_1" => (20.0, 32.0),
            "Q8_0" => (34.0, 32.0),
            "Q4_K" => (144.0, 256.0),
            "Q6_K" => (210.0, 256.0),
            other => unreachable!("no model here has {other}"),
        };
        self.weights / weights * bytes
    }
}

impl Model {
    /// All matrices, those of one type together.
    pub fn matrices(&self) -> Vec<Matrix> {
        let layers = self.layers as f64;
        let kv = (self.width * self.kv_width) as f64;
        let down = (self.width * self.ffn) as f64;
        let layer = 2.0 * (self.width * self.width) as f64 + 2.0 * kv + 3.0 * down;
        let inner = |ty, weights| Matrix {
            ty,
            weights,
            is_output: false,
        };
        let mut matrices = match self.types {
            Types::All(ty) => vec![inner(ty, layers * layer)],
            Types::Q4KM => {
                let better = layers / 2.0 * (kv + down);
                vec![
                    inner("Q4_K", layers * layer - better),
                    inner("Q6_K", better),
                ]
            }
        };
        matrices.push(Matrix {
            ty: self.output,
            weights: (self.width * self.vocabulary) as f64,
            is_output: true,
        });
        matrices
    }
}
