package dev.puna

/**
 * A piece of an answer: whole characters, never empty.
 *
 * @property text what to append to the pieces before.
 */
public class Piece internal constructor(public val text: String) {
    /** Its [text]. */
    override fun toString(): String = text
}

/** Who speaks. */
public enum class Role {
    /** Standing instructions. */
    SYSTEM,

    /** The person. */
    USER,

    /** The model. */
    ASSISTANT,

    /** What a tool gave back. */
    TOOL,
}

/**
 * One message of a conversation.
 *
 * @property role who says it.
 * @property content what is said.
 */
public data class Message(val role: Role, val content: String)
