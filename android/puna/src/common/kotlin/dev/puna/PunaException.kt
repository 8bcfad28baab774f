package dev.puna

import dev.puna.ffi.InternalException
import dev.puna.ffi.PunaException as NativeException

/** What can go wrong, in the kinds that an app can act on. Messages never hold text of a prompt or an answer. */
public sealed class PunaException(message: String, cause: Throwable? = null) : RuntimeException(message, cause) {
    /** The file cannot be opened, read or mapped. */
    public class Unreadable(reason: String, cause: Throwable? = null) : PunaException(reason, cause)

    /**
     * The file is no whole, valid model: downloading it again may help.
     *
     * @property offset the byte of the file where it is wrong, if it is wrong at one.
     */
    public class InvalidModel(what: String, public val offset: Long?) : PunaException(what)

    /** The file is valid, and of a kind that this version does not run. */
    public class UnsupportedModel(what: String) : PunaException(what)

    /**
     * The model's terms ask for acceptance, and nobody has accepted them: see [Licence].
     *
     * @property id what the licence goes by.
     */
    public class LicenceNotAccepted(public val id: String, summary: String) :
        PunaException("the licence $id is not accepted: $summary")

    /**
     * The memory is not there. Nothing was allocated.
     *
     * @property needs bytes that are needed.
     * @property has bytes that are to be had; 0 where the system does not say.
     * @property largestContextTokens the longest context that would fit, where that is the question and there is one.
     */
    public class DoesNotFit(public val needs: Long, public val has: Long, public val largestContextTokens: Int?) :
        PunaException("needs $needs bytes, and $has are to be had")

    /**
     * The conversation has no room for this message.
     *
     * @property wanted tokens to be added.
     * @property used tokens held.
     * @property contextTokens tokens that fit.
     */
    public class ContextFull(public val wanted: Int, public val used: Int, public val contextTokens: Int) :
        PunaException("$wanted more tokens do not fit: $used of a context of $contextTokens are used")

    /** A setting is out of its range. */
    public class InvalidOption(what: String) : PunaException(what)

    /** The model's template refuses the conversation, for example its system message. */
    public class Refused(reason: String) : PunaException(reason)

    /** A saved conversation or a journal cannot be written, for example since the storage is full. */
    public class Unwritable(reason: String) : PunaException(reason)

    /**
     * The disk is too full for a download. What has arrived is kept.
     *
     * @property wanted bytes that are still to come.
     * @property free bytes that are free.
     */
    public class NoSpace(public val wanted: Long, public val free: Long) :
        PunaException("$free bytes are free, wanted $wanted")

    /**
     * The server or the way to it. What has arrived is kept: the same call goes on with it.
     *
     * @property status HTTP's number, where the server answered with another one than was hoped for: 404 for a file that is
     * not there.
     */
    public class DownloadFailed(reason: String, public val status: Int?) : PunaException(reason)

    /** What was saved is damaged, or of another model or version: the conversation is lost, begin a new one. */
    public class InvalidState(what: String) : PunaException(what)

    /**
     * Another chat or process has this journal.
     *
     * @property folder the journal's.
     */
    public class InUse(public val folder: String) : PunaException("the journal $folder is in use")

    /** There is no turn to be edited, or answered again. */
    public class NoTurn : PunaException("no turn yet")

    /** The answer was cancelled from outside the coroutine that collects it. The turn was taken back. */
    public class Cancelled : PunaException("cancelled")

    /** The time that the answer was given has passed. The turn was taken back. */
    public class DeadlineExceeded : PunaException("the deadline has passed")

    /** The chat is answering already; a chat gives one answer at a time. */
    public class Busy : PunaException("the chat is answering already")

    /** The model or the chat was closed. */
    public class Closed : PunaException("closed")

    /** A fault of this library, or of the system below it. */
    public class Internal(reason: String, cause: Throwable? = null) : PunaException(reason, cause)
}

/** Calls the runtime; its errors become those of this package. */
internal inline fun <T> runtime(call: () -> T): T =
    try {
        call()
    } catch (e: NativeException) {
        throw e.published()
    } catch (e: InternalException) {
        throw PunaException.Internal("a panic in the runtime; please report it", e)
    }

internal fun NativeException.published(): PunaException = when (this) {
    is NativeException.Unreadable -> PunaException.Unreadable(reason)
    is NativeException.InvalidModel -> PunaException.InvalidModel(what, offset?.toLong())
    is NativeException.UnsupportedModel -> PunaException.UnsupportedModel(what)
    is NativeException.LicenceNotAccepted -> PunaException.LicenceNotAccepted(id, summary)
    is NativeException.DoesNotFit -> PunaException.DoesNotFit(needs.toLong(), has.toLong(), largestNCtx?.toInt())
    is NativeException.ContextFull -> PunaException.ContextFull(wanted.toInt(), used.toInt(), nCtx.toInt())
    is NativeException.InvalidOption -> PunaException.InvalidOption(what)
    is NativeException.Refused -> PunaException.Refused(reason)
    is NativeException.Unwritable -> PunaException.Unwritable(reason)
    is NativeException.NoSpace -> PunaException.NoSpace(wanted.toLong(), free.toLong())
    is NativeException.DownloadFailed -> PunaException.DownloadFailed(reason, status?.toInt())
    is NativeException.InvalidState -> PunaException.InvalidState(what)
    is NativeException.InUse -> PunaException.InUse(folder)
    is NativeException.NoTurn -> PunaException.NoTurn()
    is NativeException.Cancelled -> PunaException.Cancelled()
    is NativeException.DeadlineExceeded -> PunaException.DeadlineExceeded()
    is NativeException.Busy -> PunaException.Busy()
    is NativeException.Closed -> PunaException.Closed()
    is NativeException.Internal -> PunaException.Internal(reason)
}
