import com.tigerbeetle.AccountBalanceBatch;
import com.tigerbeetle.AccountBatch;
import com.tigerbeetle.AccountFilter;
import com.tigerbeetle.AccountFlags;
import com.tigerbeetle.Client;
import com.tigerbeetle.CreateAccountResult;
import com.tigerbeetle.CreateAccountResultBatch;
import com.tigerbeetle.CreateTransferResult;
import com.tigerbeetle.CreateTransferResultBatch;
import com.tigerbeetle.IdBatch;
import com.tigerbeetle.PacketStatus;
import com.tigerbeetle.QueryFilter;
import com.tigerbeetle.RequestException;
import com.tigerbeetle.TransferBatch;
import com.tigerbeetle.TransferFlags;
import com.tigerbeetle.UInt128;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;

/**
 * The payment scenario of compat/README.md, by TigerBeetle's Java client. This
 * older release speaks the deprecated operations: only events that fail have
 * a result.
 */
public final class Scenario {
    private static final int BATCH_MAX = 8189;
    private static final int LEDGER = ThreadLocalRandom.current().nextInt(1, Integer.MAX_VALUE);
    private static final byte[] RUN = UInt128.id(); // user data of everything this run creates

    /** An account, kept apart from the client's batches. */
    private static final class Account {
        byte[] id = UInt128.id();
        int code;
        int flags;
        int ledger = LEDGER;
        long userData64;

        Account(int code, int flags) {
            this.code = code;
            this.userData64 = code;
            this.flags = flags;
        }

        void addTo(AccountBatch batch) {
            batch.add();
            batch.setId(id);
            batch.setLedger(ledger);
            batch.setCode(code);
            batch.setFlags(flags);
            batch.setUserData128(RUN);
            batch.setUserData64(userData64);
        }
    }

    /** A transfer, kept apart from the client's batches. */
    private static final class Transfer {
        byte[] id = UInt128.id();
        byte[] debit = new byte[16];
        byte[] credit = new byte[16];
        byte[] pending = new byte[16];
        BigInteger amount;
        long userData64;
        int timeout;
        int code = 1;
        int flags;

        Transfer(byte[] debit, byte[] credit, long amount, int flags) {
            this.debit = debit;
            this.credit = credit;
            this.amount = BigInteger.valueOf(amount);
            this.flags = flags;
        }

        /** Posts or voids a pending transfer. */
        Transfer(Transfer pending, BigInteger amount, int flags) {
            this.pending = pending.id;
            this.amount = amount;
            this.flags = flags;
            this.code = 0;
        }

        void addTo(TransferBatch batch) {
            batch.add();
            batch.setId(id);
            batch.setDebitAccountId(debit);
            batch.setCreditAccountId(credit);
            batch.setPendingId(pending);
            batch.setAmount(amount);
            batch.setTimeout(timeout);
            batch.setFlags(flags);
            batch.setCode(code);
            batch.setUserData64(userData64);
            if (code != 0 || Arrays.equals(pending, new byte[16])) {
                batch.setLedger(LEDGER);
                batch.setUserData128(RUN);
            }
        }
    }

    private final Client client;
    private final Account bank = new Account(30, AccountFlags.NONE);
    private final Account alice = new Account(10, AccountFlags.HISTORY);
    private final Account bob = new Account(10, AccountFlags.NONE);
    private final Account carol = new Account(20, AccountFlags.DEBITS_MUST_NOT_EXCEED_CREDITS);
    private Transfer funding;
    private Transfer pending;
    private Transfer post;
    private Transfer expiring;
    private List<byte[]> ofAlice; // funding and the linked transfer left out
    private int checks;

    private Scenario(Client client) {
        this.client = client;
    }

    public static void main(String[] arguments) throws Exception {
        String prefix = "--addresses=";
        String addresses = arguments[0].substring(prefix.length());
        try (Client client = new Client(new byte[16], addresses.split(","))) {
            Scenario scenario = new Scenario(client);
            scenario.accounts();
            scenario.plain();
            scenario.linked();
            scenario.resolutions();
            scenario.timeout();
            scenario.lookups();
            scenario.accountQueries();
            scenario.queries();
            scenario.atOnce();
            scenario.fullBatch();
            scenario.books();
            System.out.println("compat java: ok (" + scenario.checks + " checks)");
        } catch (IllegalStateException unexpected) {
            System.out.println("compat java: " + unexpected.getMessage());
            System.exit(1);
        }
    }

    /** Ends the run unless got equals want. */
    private void check(String what, Object got, Object want) {
        checks++;
        if (!Objects.equals(got, want)) {
            throw new IllegalStateException(what + ": got " + got + ", want " + want);
        }
    }

    private static String name(byte[] id) {
        return UInt128.asBigInteger(id).toString(16);
    }

    private static List<String> names(List<byte[]> ids) {
        List<String> names = new ArrayList<>();
        ids.forEach(id -> names.add(name(id)));
        return names;
    }

    private static List<String> names(AccountBatch batch) {
        List<String> names = new ArrayList<>();
        while (batch.next()) {
            names.add(name(batch.getId()));
        }
        batch.beforeFirst();
        return names;
    }

    private static List<String> names(TransferBatch batch) {
        List<String> names = new ArrayList<>();
        while (batch.next()) {
            names.add(name(batch.getId()));
        }
        batch.beforeFirst();
        return names;
    }

    private static TransferBatch batchOf(List<Transfer> transfers) {
        TransferBatch batch = new TransferBatch(transfers.size());
        transfers.forEach(t -> t.addTo(batch));
        return batch;
    }

    private List<CreateAccountResult> create(Account... accounts) {
        AccountBatch batch = new AccountBatch(accounts.length);
        for (Account account : accounts) {
            account.addTo(batch);
        }
        List<CreateAccountResult> statuses =
                new ArrayList<>(Collections.nCopies(accounts.length, CreateAccountResult.Ok));
        CreateAccountResultBatch results = client.createAccounts(batch);
        while (results.next()) {
            statuses.set(results.getIndex(), results.getResult());
        }
        return statuses;
    }

    private static List<CreateTransferResult> statuses(int count, CreateTransferResultBatch results) {
        List<CreateTransferResult> statuses =
                new ArrayList<>(Collections.nCopies(count, CreateTransferResult.Ok));
        while (results.next()) {
            statuses.set(results.getIndex(), results.getResult());
        }
        return statuses;
    }

    /** Creates transfers and checks their statuses. */
    private void create(String what, List<Transfer> transfers, CreateTransferResult... want) {
        CreateTransferResultBatch results = client.createTransfers(batchOf(transfers));
        check(what, statuses(transfers.size(), results), Arrays.asList(want));
    }

    /** Checks pending and posted debits, pending and posted credits. */
    private void balances(String what, Account who, long... want) {
        AccountBatch found = client.lookupAccounts(new IdBatch(who.id));
        check(what + ": found", found.next(), true);
        List<BigInteger> expected = new ArrayList<>();
        for (long w : want) {
            expected.add(BigInteger.valueOf(w));
        }
        check(what, List.of(found.getDebitsPending(), found.getDebitsPosted(),
                found.getCreditsPending(), found.getCreditsPosted()), expected);
    }

    private void accounts() {
        check("create accounts", create(alice, bob, carol, bank),
                Collections.nCopies(4, CreateAccountResult.Ok));
        check("create accounts again", create(alice, bob, carol, bank),
                Collections.nCopies(4, CreateAccountResult.Exists));
        Account other = new Account(11, alice.flags);
        other.id = alice.id;
        other.userData64 = alice.userData64;
        Account zero = new Account(1, AccountFlags.NONE);
        zero.id = new byte[16];
        Account withoutLedger = new Account(1, AccountFlags.NONE);
        withoutLedger.ledger = 0;
        check("accounts refused", create(other, zero, new Account(1, AccountFlags.LINKED), withoutLedger),
                List.of(CreateAccountResult.ExistsWithDifferentCode, CreateAccountResult.IdMustNotBeZero,
                        CreateAccountResult.LinkedEventFailed, CreateAccountResult.LedgerMustNotBeZero));

        AccountBatch found = client.lookupAccounts(new IdBatch(bank.id, UInt128.id(), alice.id));
        check("lookup accounts", names(found), names(List.of(bank.id, alice.id)));
        found.setPosition(1);
        check("account as created", List.of(found.getLedger(), found.getCode(), found.getFlags(),
                        name(found.getUserData128()), found.getUserData64(), found.getUserData32()),
                List.of(LEDGER, 10, AccountFlags.HISTORY, name(RUN), 10L, 0));
        check("it has a timestamp", found.getTimestamp() > 0, true);
    }

    private void plain() {
        funding = new Transfer(bank.id, alice.id, 1000, TransferFlags.NONE);
        funding.userData64 = 42;
        create("plain", List.of(funding), CreateTransferResult.Ok);
        balances("alice is funded", alice, 0, 0, 0, 1000);
        balances("bank has paid", bank, 0, 1000, 0, 0);

        create("plain again", List.of(funding), CreateTransferResult.Exists);
        Transfer other = new Transfer(bank.id, alice.id, 999, TransferFlags.NONE);
        other.id = funding.id;
        other.userData64 = 42;
        create("other amount", List.of(other), CreateTransferResult.ExistsWithDifferentAmount);
        Transfer orphan = new Transfer(UInt128.id(), bob.id, 1, TransferFlags.NONE);
        Transfer codeless = new Transfer(alice.id, bob.id, 1, TransferFlags.NONE);
        codeless.code = 0;
        create("refused", List.of(
                        orphan,
                        new Transfer(alice.id, alice.id, 1, TransferFlags.NONE),
                        new Transfer(carol.id, bob.id, 1, TransferFlags.NONE),
                        codeless),
                CreateTransferResult.DebitAccountNotFound, CreateTransferResult.AccountsMustBeDifferent,
                CreateTransferResult.ExceedsCredits, CreateTransferResult.CodeMustNotBeZero);
        create("id used up", List.of(orphan), CreateTransferResult.IdAlreadyFailed);
    }

    private void linked() {
        Transfer pays = new Transfer(alice.id, bob.id, 100, TransferFlags.LINKED);
        Transfer passesOn = new Transfer(bob.id, bank.id, 40, TransferFlags.NONE);
        create("linked", List.of(pays, passesOn), CreateTransferResult.Ok, CreateTransferResult.Ok);
        Transfer undone = new Transfer(alice.id, bob.id, 5, TransferFlags.LINKED);
        Transfer breaks = new Transfer(alice.id, alice.id, 5, TransferFlags.NONE);
        create("linked, broken", List.of(undone, breaks),
                CreateTransferResult.LinkedEventFailed, CreateTransferResult.AccountsMustBeDifferent);
        create("linked, open", List.of(new Transfer(alice.id, bob.id, 5, TransferFlags.LINKED)),
                CreateTransferResult.LinkedEventChainOpen);
        balances("a broken chain leaves no trace", alice, 0, 100, 0, 1000);
    }

    private void resolutions() {
        final int posting = TransferFlags.POST_PENDING_TRANSFER;
        final int voiding = TransferFlags.VOID_PENDING_TRANSFER;
        BigInteger some = BigInteger.valueOf(150);
        pending = new Transfer(alice.id, bob.id, 200, TransferFlags.PENDING);
        create("pending", List.of(pending), CreateTransferResult.Ok);
        balances("reserved", alice, 200, 100, 0, 1000);
        post = new Transfer(pending, some, posting);
        create("post a part", List.of(post), CreateTransferResult.Ok);
        balances("the rest is released", alice, 0, 250, 0, 1000);
        create("post again", List.of(new Transfer(pending, some, posting)),
                CreateTransferResult.PendingTransferAlreadyPosted);

        Transfer second = new Transfer(alice.id, bob.id, 50, TransferFlags.PENDING);
        Transfer voided = new Transfer(second, BigInteger.ZERO, voiding);
        create("pending and void", List.of(second, voided), CreateTransferResult.Ok, CreateTransferResult.Ok);
        create("void again", List.of(new Transfer(second, BigInteger.ZERO, voiding)),
                CreateTransferResult.PendingTransferAlreadyVoided);

        Transfer third = new Transfer(alice.id, bob.id, 30, TransferFlags.PENDING);
        Transfer all = new Transfer(third, TransferBatch.AMOUNT_MAX, posting);
        create("pending and post all", List.of(third, all), CreateTransferResult.Ok, CreateTransferResult.Ok);
        balances("after posting all", alice, 0, 280, 0, 1000);
        ofAlice = new ArrayList<>(List.of(pending.id, post.id, second.id, voided.id, third.id, all.id));
    }

    /** Waits until a reservation is gone. */
    private void timeout() throws InterruptedException {
        expiring = new Transfer(alice.id, bob.id, 70, TransferFlags.PENDING);
        expiring.timeout = 1;
        create("pending with a timeout", List.of(expiring), CreateTransferResult.Ok);
        balances("reserved for a second", alice, 70, 280, 0, 1000);
        for (int tries = 0; tries < 100; tries++) {
            AccountBatch found = client.lookupAccounts(new IdBatch(alice.id));
            if (found.next() && found.getDebitsPending().signum() == 0) {
                break;
            }
            Thread.sleep(100);
        }
        balances("the reservation has expired", alice, 0, 280, 0, 1000);
        balances("on the other side too", bob, 0, 40, 0, 280);
        Transfer late = new Transfer(expiring, BigInteger.valueOf(70), TransferFlags.POST_PENDING_TRANSFER);
        create("post too late", List.of(late), CreateTransferResult.PendingTransferExpired);
        ofAlice.add(expiring.id);
    }

    private void lookups() {
        byte[] all = ofAlice.get(5);
        TransferBatch found = client.lookupTransfers(new IdBatch(pending.id, UInt128.id(), post.id, all));
        check("lookup transfers", names(found), names(List.of(pending.id, post.id, all)));
        List<BigInteger> amounts = new ArrayList<>();
        while (found.next()) {
            amounts.add(found.getAmount());
        }
        check("amounts", amounts, List.of(BigInteger.valueOf(200), BigInteger.valueOf(150), BigInteger.valueOf(30)));
        found.setPosition(1);
        check("a post inherits", List.of(name(found.getDebitAccountId()), found.getLedger(), name(found.getUserData128())),
                List.of(name(alice.id), LEDGER, name(RUN)));
    }

    private List<String> ofAlice(Consumer<AccountFilter> change) {
        AccountFilter filter = byAccount(alice);
        change.accept(filter);
        return names(client.getAccountTransfers(filter));
    }

    private static AccountFilter byAccount(Account account) {
        AccountFilter filter = new AccountFilter();
        filter.setAccountId(account.id);
        filter.setDebits(true);
        filter.setCredits(true);
        filter.setLimit(BATCH_MAX);
        return filter;
    }

    private void accountQueries() {
        List<String> found = ofAlice(filter -> { });
        check("alice's transfers", found.size(), 9);
        check("alice's first transfer", found.get(0), name(funding.id));
        check("alice's other transfers", found.subList(2, 9), names(ofAlice));
        check("alice's credits", ofAlice(filter -> filter.setDebits(false)), List.of(name(funding.id)));
        check("newest first", ofAlice(filter -> {
            filter.setCredits(false);
            filter.setReversed(true);
            filter.setLimit(2);
        }), names(List.of(ofAlice.get(6), ofAlice.get(5))));
        TransferBatch bounds = client.lookupTransfers(new IdBatch(pending.id, post.id));
        check("by time", ofAlice(filter -> {
            bounds.setPosition(0);
            filter.setTimestampMin(bounds.getTimestamp());
            bounds.setPosition(1);
            filter.setTimestampMax(bounds.getTimestamp());
        }), names(List.of(pending.id, post.id)));
        check("by code", ofAlice(filter -> filter.setCode(2)), List.of());
        check("an invalid filter", ofAlice(filter -> filter.setLimit(0)), List.of());

        AccountBalanceBatch rows = client.getAccountBalances(byAccount(alice));
        check("alice's history", rows.getLength(), 9);
        rows.setPosition(0);
        check("first balance", rows.getCreditsPosted(), BigInteger.valueOf(1000));
        rows.setPosition(8);
        check("last balance", List.of(rows.getDebitsPending(), rows.getDebitsPosted()),
                List.of(BigInteger.valueOf(70), BigInteger.valueOf(280)));
        check("no history", client.getAccountBalances(byAccount(bob)).getLength(), 0);
    }

    private static QueryFilter query(Consumer<QueryFilter> change) {
        QueryFilter filter = new QueryFilter();
        filter.setLedger(LEDGER);
        filter.setLimit(BATCH_MAX);
        change.accept(filter);
        return filter;
    }

    private void queries() {
        Consumer<QueryFilter> newest = filter -> {
            filter.setReversed(true);
            filter.setLimit(1);
        };
        List<String> everyone = names(List.of(alice.id, bob.id, carol.id, bank.id));
        check("accounts by user data",
                names(client.queryAccounts(query(filter -> filter.setUserData128(RUN)))), everyone);
        check("accounts by code", names(client.queryAccounts(query(filter -> {
            filter.setCode(10);
            filter.setUserData64(10);
        }))), everyone.subList(0, 2));
        check("newest account", names(client.queryAccounts(query(newest))), everyone.subList(3, 4));

        List<String> found = names(client.queryTransfers(query(filter -> { })));
        check("transfers by ledger", found.size(), 10);
        check("first transfer", found.get(0), name(funding.id));
        check("last transfers", found.subList(3, 10), names(ofAlice));
        check("transfers by user data",
                names(client.queryTransfers(query(filter -> filter.setUserData64(42)))), List.of(name(funding.id)));
        check("newest transfer", names(client.queryTransfers(query(newest))), List.of(name(expiring.id)));
    }

    /** Has many calls in flight, which the client packs into few requests. */
    private void atOnce() throws Exception {
        List<CompletableFuture<CreateTransferResultBatch>> calls = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            calls.add(client.createTransfersAsync(
                    batchOf(List.of(new Transfer(bank.id, bob.id, 1, TransferFlags.NONE)))));
        }
        for (CompletableFuture<CreateTransferResultBatch> call : calls) {
            check("at once", statuses(1, call.get()), List.of(CreateTransferResult.Ok));
        }
        balances("bob after that", bob, 0, 40, 0, 300);
    }

    private void fullBatch() {
        List<Transfer> batch = new ArrayList<>();
        List<byte[]> ids = new ArrayList<>();
        for (int i = 0; i < BATCH_MAX; i++) {
            Transfer one = new Transfer(bank.id, bob.id, 1, TransferFlags.NONE);
            one.code = 99;
            batch.add(one);
            ids.add(one.id);
        }
        check("full batch", statuses(BATCH_MAX, client.createTransfers(batchOf(batch))),
                Collections.nCopies(BATCH_MAX, CreateTransferResult.Ok));
        check("full batch again", statuses(BATCH_MAX, client.createTransfers(batchOf(batch))),
                Collections.nCopies(BATCH_MAX, CreateTransferResult.Exists));
        balances("bob after the batch", bob, 0, 40, 0, 300 + BATCH_MAX);
        check("the batch, queried",
                names(client.queryTransfers(query(filter -> filter.setCode(99)))), names(ids));
        check("the batch, looked up",
                names(client.lookupTransfers(new IdBatch(ids.toArray(new byte[0][])))), names(ids));
        try {
            client.createTransfers(batchOf(Collections.nCopies(10_000, batch.get(0))));
            check("too much data", "accepted", "refused");
        } catch (RequestException refused) {
            check("too much data", PacketStatus.fromValue(refused.getStatus()), PacketStatus.TooMuchData);
        }
    }

    private void books() {
        AccountBatch found = client.queryAccounts(query(filter -> { }));
        BigInteger debits = BigInteger.ZERO;
        BigInteger credits = BigInteger.ZERO;
        while (found.next()) {
            debits = debits.add(found.getDebitsPosted());
            credits = credits.add(found.getCreditsPosted());
            check("nothing is pending", found.getDebitsPending().add(found.getCreditsPending()), BigInteger.ZERO);
        }
        check("debits equal credits", debits, credits);
    }
}
