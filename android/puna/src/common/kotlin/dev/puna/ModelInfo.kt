package dev.puna

/**
 * What a model is.
 *
 * @property name what its file calls it.
 * @property architecture for example `llama`.
 * @property license as its file has it.
 * @property parameters numbers that it was trained to.
 * @property weightsBytes bytes of its weights, mapped from the file.
 * @property trainedContextTokens tokens that it was trained to look back.
 * @property vocabularyTokens tokens that it knows.
 */
public data class ModelInfo(
    val name: String?,
    val architecture: String,
    val license: String?,
    val parameters: Long,
    val weightsBytes: Long,
    val trainedContextTokens: Int,
    val vocabularyTokens: Int,
)

/**
 * What a chat would need, and what the device has, in bytes.
 *
 * @property contextTokens tokens that the chat can hold.
 * @property threads those that compute.
 * @property weightsBytes the weights, mapped from the file.
 * @property kvBytes the cache of keys and values, when full.
 * @property scratchBytes every other buffer.
 * @property needs all of it.
 * @property has what the process may come to hold; `null` where the system does not tell.
 * @property fits whether it fits; where the system does not tell, it is said to.
 * @property largestContextTokens the longest context that fits, with everything else as asked, if one does.
 */
public data class Plan(
    val contextTokens: Int,
    val threads: Int,
    val weightsBytes: Long,
    val kvBytes: Long,
    val scratchBytes: Long,
    val needs: Long,
    val has: Long?,
    val fits: Boolean,
    val largestContextTokens: Int?,
)
