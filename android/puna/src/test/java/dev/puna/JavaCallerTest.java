package dev.puna;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertThrows;
import static org.junit.Assert.assertTrue;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.Test;

public class JavaCallerTest {
    private static final String MODEL = System.getenv("PUNA_TEST_MODEL");

    private static ChatOptions shortAnswers(int tokens) {
        ChatOptions options = new ChatOptions();
        options.setContextTokens(512);
        options.getAnswer().setTemperature(0f);
        options.getAnswer().setMaxTokens(tokens);
        return options;
    }

    @Test
    public void asksOnThisThread() throws Exception {
        try (Model model = Model.openBlocking(MODEL)) {
            Chat chat = model.chat("You are a helpful AI assistant.", shortAnswers(12));
            StringBuilder seen = new StringBuilder();
            String answer = chat.askBlocking("What is the capital of France?", chat.options(), seen::append);
            assertTrue(answer, answer.contains("Paris"));
            assertEquals(answer, seen.toString());
            assertTrue(chat.getStats().getTimeToFirstTokenMillis() >= 0);
            assertEquals(Role.ASSISTANT, chat.getMessages().get(2).getRole());
        }
    }

    @Test
    public void asksInTheBackground() throws Exception {
        try (Model model = Model.openBlocking(MODEL)) {
            Chat chat = model.chat(null, shortAnswers(8));
            assertFalse(chat.askAsync("Hello?").get(60, TimeUnit.SECONDS).isEmpty());
            AnswerOptions long_ = chat.options();
            long_.setMaxTokens(400);
            CompletableFuture<String> answer = chat.askAsync("Tell me a long story.", long_);
            Thread.sleep(100);
            assertTrue(answer.cancel(true));
            // The next question waits for nobody but the piece that was being computed.
            for (int tries = 0; ; tries++) {
                try {
                    assertFalse(chat.askBlocking("Hello?").isEmpty());
                    break;
                } catch (PunaException.Busy e) {
                    assertTrue("still busy", tries < 50);
                    Thread.sleep(20);
                }
            }
        }
    }

    @Test
    public void anInterruptStopsTheAnswer() throws Exception {
        try (Model model = Model.openBlocking(MODEL)) {
            Chat chat = model.chat(null, shortAnswers(400));
            Thread.currentThread().interrupt();
            assertThrows(InterruptedException.class, () -> chat.askBlocking("Tell me a long story."));
            assertFalse(Thread.interrupted());
        }
    }

    @Test
    public void errorsAreTypes() {
        PunaException.Unreadable e =
                assertThrows(PunaException.Unreadable.class, () -> Model.openBlocking("/nowhere.gguf"));
        assertTrue(e.getMessage(), e.getMessage().contains("nowhere"));
    }
}
