"""Verbs of other languages that tools are named in. Data; words that also exist in English are left out."""

from typing import Final


def _each(words: str) -> tuple[str, ...]:
    return tuple(words.split())


# Portuguese, Spanish, French, German, Italian, Dutch, Turkish, Indonesian, Polish, Czech and Scandinavian
# languages; written without accents.
READS: Final = """
    analise analisis avaliador berechnung calculadora calculo comparacion descricao descripcion detalhes
    detalles estimativa evaluador historial historico informacion informacoes precio precios resumen
    resumo simulador ubersicht obter obtener consultar consulta buscar busca listar lista pesquisar
    pesquisa mostrar mostra exibir apresenta visualizar verificar validar calcular conferir leer ler
    chercher rechercher recherche obtenir afficher lire lister voir verifier suchen suche finden zeigen
    zeige abrufen auflisten lesen pruefen cercare cerca leggi leggere elenca ottieni goster listele getir
    hesapla sorgula bul obtiene obtem devuelve retorna muestra verifica valida calcula analiza analizar
    analisa analisar compara comparar extrae extraer extrai extrair descarga descargar audita auditar
    revisa revisar resumir explica explicar encuentra encontrar encontra recupera recuperar traduce
    traducir traduz traduzir evalua evaluar avalia avaliar detecta detectar identifica identificar estima
    estimar recupere recuperer retourne retourner renvoie renvoyer affiche calcule calculer analyse
    analyser telecharge telecharger verifie traduit traduire gibt liefert holt ruft listet sucht findet
    zeigt liest pruft prueft berechnet ermittelt analysiert ubersetzt restituisce recupera elencare
    calcola calcolare visualizza ottenere confronta haalt geeft zoekt toont
    obten lee comprueba convierte convertir cuenta proporciona ofrece explora filtra filtrar predice sugiere
    sugerir recomienda recomendar describe monitorea rastrea rastrear localiza localizar exporta exportar
    averigua descubre detalla imprime interpreta simula simular valora consultan devolve le converte
    converter contar fornece oferece preve sugere recomenda descreve monitora rastreia baixa baixar encontre
    mede obtient lit consulte valide convertit fournit fournir decrit explique compter suggere recommande
    trouve trouver cherche interroge interroger donne surveille extrait extraire exporte identifie detecte
    evalue simule synthetise parcourt parcourir affichez retrouve detaille durchsucht vergleicht validiert
    konvertiert wandelt extrahiert bietet filtert filtern schatzt prognostiziert empfiehlt beschreibt
    erklart uberwacht verfolgt exportiert simuliert erkennt bewertet holen anzeigen liefern berechnen
    vergleichen ubersetzen analysieren durchsuchen zusammenfassen ladt fragt fasst schlagt ottiene legge
    analizza confrontare estrae estrarre fornisce esplora stima suggerisce consiglia descrive spiega trova
    trovare esporta scarica riassume leest berekent controleert vergelijkt vindt bekijk ophalen zoeken tonen
    mencari mendapatkan menampilkan mengambil membaca menghitung menganalisis memeriksa ambil cari tampilkan
    lihat dapatkan getirir listeler arar gosterir dondurur hesaplar sorgular bulur pobiera pobierz wyszukuje
    wyszukaj zwraca sprawdza oblicza odczytuje analizuje porownuje hamtar soker visar henter viser vrati
    hleda zobrazi ziska nacte vypise
    cauta chakan chaxun huoqu kensaku naiti poluchit pokazat sousuo
"""
WRITES: Final = """
    criar cria crear crea adicionar adiciona agregar anadir inserir actualizar atualizar atualiza editar
    edita alterar modificar enviar envia salvar guardar cadastrar registrar agendar creer ajouter
    modifier envoyer enregistrer mettre erstellen erstelle hinzufuegen aendern aktualisieren senden
    speichern aggiungi aggiorna modifica invia salva olustur ekle guncelle duzenle gonder kaydet
    degistir ayarla genera generar gerar anade agrega inserta guarda registra publica publicar configura
    configurar cancela cancelar responde responder asigna asignar sube subir importa importar renombra
    copia copiar mueve cree ajoute modifie envoie enregistre genere generer publie annule annuler
    erstellt aktualisiert sendet speichert andert aendert fugt fuegt setzt legt veroffentlicht
    aggiornare creare inviare salvare maakt stuurt
    cambia cambiar mover duplica duplicar restaura restaurar aplica aplicar activa activar desactiva
    desactivar habilita habilitar deshabilita conecta conectar desconecta aprueba aprobar rechaza rechazar
    invita invitar establece establecer archiva archivar bloquea bloquear desbloquea reserva reservar
    confirma confirmar suscribe comenta vincula construye redacta inscribe adicione ativa ativar desativa
    aprova aprovar rejeita convida insere conclui concluir arquiva arquivar bloqueia renomeia renomear
    marcar atribui atribuir escreve escrever grava gravar muda mudar sauvegarde edite editer deplace
    deplacer renomme renommer restaure duplique applique appliquer desactive connecte planifie planifier
    confirme approuve rejette definit definir bloque debloque repond repondre redige importe met assigne
    rediger abonne partage partager inserer archiver erzeugt generiert bearbeitet verschickt markiert
    verschiebt benennt dupliziert antwortet importiert konfiguriert aktiviert deaktiviert verbindet bucht
    reserviert bestatigt genehmigt lehnt registriert archiviert sperrt entsperrt schreibt andern hinzufugen
    bearbeiten anlegen erzeugen schreiben hochladen verschieben setzen aggiunge modificare generare carica
    pubblica pubblicare assegna sposta spostare rinomina ripristina applica applicare attiva disattiva
    collega prenota conferma approva rifiuta imposta impostare definisce inserisce archivia blocca sblocca
    risponde scrive scrivere voegt wijzigt verzendt slaat bewerkt werkt toevoegen wijzigen membuat
    menambahkan memperbarui mengubah mengirim menyimpan buat tambah kirim ubah simpan olusturur ekler
    gunceller gonderir kaydeder duzenler tworzy dodaje aktualizuje zapisuje edytuje zmienia skapar
    uppdaterar skickar lagger opretter opdaterer tilfojer vytvori odesle prida upravi
    solicitar solicita solicite contratar contrata contrate souscrire souscrit souscrivez regler regle reglez
    beantragt beantragen richiede richiedere ajukan plaatst plaats aufgeben abgeben aufladen recarga recargar
    recarrega recarregar ricarica ricaricare
    baocun chuangjian devolver dobavit emettere emetti emite emitir fasong gengxin quxiao tijiao izmenit
    lisaa obnovit opret
    otpravit procesa procesar processar retirar sozdat shangchuan shezhi tianjia timbrar wystaw wystawia
    xiugai
"""
EXECUTES: Final = """
    executar executa ejecutar ejecuta iniciar inicia parar detener detiene reiniciar reinicia lancer demarrer
    demarre arreter arrete executer starten startet stoppt fuhrt fuehrt ausfuehren esegue eseguire avvia
    calistir
    lanza lanzar despliega desplegar corre reproduce roda rodar encerra encerrar dispara disparar redemarre
    redemarrer deploie deployer declenche declencher stoppe lance neustarten beendet ausfuhren stoppen
    auslosen lancia lanciare ferma riavvia menjalankan memulai menghentikan jalankan calistirir baslatir
    durdurur uruchamia zatrzymuje startar stoppar spusti
    ausloesen realizar realiza realice efectuar efectua efectue efetuar efetua efetue effectuer effectue
    effectuez effettuare effettua tatigt taetigt wykonaj wykonuje melakukan lakukan gerceklestirir provede
    utfor
    qidong tingzhi yunxing zapustit zhixing
"""
# To carry out one of these is only to look for something.
LOOKS: Final = """
    abfrage analisi analisis analise arama busca buscas busqueda busquedas calculo calculos consulta consultas
    estimacion pencarian pesquisa recherche recherches requete requetes ricerca ricerche sorgu suche
    verificacao verificacion wyszukiwanie zapytanie
"""
DESTROYS: Final = """
    eliminar elimina excluir exclui apagar borrar deletar remover supprimer effacer loeschen entfernen
    cancella sil kaldir borra supprime efface loscht loescht entfernt eliminare verwijdert
    azzera azzerare bosalt bosaltir descarta descartar ecrase ecraser esvazia esvaziar formata formatar
    formatea formatear formatiert formatieren formatta formattare kosongkan kundigt kundigen kuendigen leegt
    leeren mengosongkan oproznia oproznij purgare radera resilie resilier rimuove rimuovere rimuovi sifirla
    sifirlar smaz smazat svuotare tommer usun usunac verwijder verwijderen verwirft verwerfen vymaz vyprazdni
    vycisti wyczysc wyczysci zera zerar zurucksetzen zuruecksetzen
    elimine purga purgar vacia vaciar limpia limpiar destruye destruir revoca revocar desinstala apague
    deleta limpa limpar exclua revoga destroi supprimez vide vider revoque detruit desinstalle loschen leert
    vernichtet widerruft cancellare svuota distrugge menghapus hapus siler usuwa kasuje raderar sletter
    smaze
    izbrisi jiesan obrisi ochistit poista qingchu qingkong sakujo shanchu slet sterge suprimir suprime torol
    udali udalit xiaohui xiezai
"""
PAYS: Final = """
    pagar paga comprar compra transferir transfiere transfere cobrar reembolsar estornar bezahlen acquista
    compre vende vender vendre acheter achete rembourse rembourser paie payer vire depensa deposita
    depositar uberweist uberweisen kauft kaufen verkauft erstattet trasferisce acquistare rimborsa
    rimborsare vendere overboeken membeli membayar kupuje placi transferer reembolsa estorna
    abona abonar addebita addebitare aposta apostar apuesta adquiere adquirir bayar beli bestellen bestellt
    betaal betaalt betala betalar betalen betaler bezahle bezahlt comprare debita debitar debite debiter doa
    doar donar donare emprestar encaisse encaisser encherir encherit erstatten ersteigern ersteigert investe
    investir investit investieren investiert invertir invierte jual koopt kopen koupi koupit mieten mietet
    oplac oplaca pague paye payez preleva prelevare prelever preleve pagare prestar puja pujar
    scommette scommettere spenden spendet sprzedaje verkaufen verkoopt
    verkopen versare wplac wplaca wyplac wyplaca zahlen zahlt zaplac zaplati zaplatit
    chongzhi fukuan goumai jiaofei kupit maichu mairu oplatit tixian tuikuan xiadan zhifu zhuanzhang
"""
# If one of DEALS is beside one of DEALT, in whatever order a language has them, someone pays.
DEALS: Final = """
    abgeben aufgeben aufladen auslosen colocar coloca doet emettre emet fait faire faz fazer fuhrt
    gerceklestirir gibt gonder gonderir hace hacer haz kirim kirimkan ladt lost mandar manda mengirim ode oder
    passe passer passez plaats plaatst recarga recargar recarrega recarregar ricarica ricaricare saca sacar
    saque sklada skicka skickar verse verser yap yapar yukler zada zleca zloz
"""
DEALT: Final = """
    argent bestallning bestelling bestellung bieding commande dinero dinheiro enchere encheres faktura fakture
    fakturu fatura faturay fundos gebot geld guthaben havale objednavku odeme ordine paiement pedido pengar
    penize pesanan pieniadze pinjaman platbu przelew puja rechnung saldo siparis soldi uang uberweisung
    virement zahlung zamowienie
"""
# With one of these as well, it is only returned: “Gibt die Bestellung zurück”.
GIVEN_BACK: Final = "aus heraus wieder zuruck zurueck"
# What is done in such a way, or leads to this, is lost for good.
FOR_GOOD: Final = """
    bezpowrotnie definitivamente definitivement endgueltig endgultig irreversiblemente irreversivelmente
    irrevocablemente unwiderruflich verloren werkseinstellungen
"""

# What is written without spaces (Chinese, Japanese, Korean and Thai), the beginnings of Russian verbs, Arabic
# and Hebrew, and words that must keep their accents.
UNSPACED: Final[dict[str, str]] = {
    word.replace("_", " "): verb
    for verb, words in {
        "get": (
            "获取 獲取 取得 查询 查詢 查看 列出 搜索 搜尋 分析 计算 計算 读取 讀取 检索 检查 返回 获得 统计 "
            "解析 検索 表示 一覧 確認 参照 조회 검색 가져 확인 반환 목록 계산 분석 比较 比較 推荐 推薦 诊断 "
            "評估 评估 监控 预测 提取 翻译 翻譯 下载 导出 显示 找到 получ найти поиск показ список возвращ "
            "чита провер анализ 提供 返す 返し 返却 拉取 查找 浏览 瀏覽 预览 預覽 检测 檢測 识别 識別 辨識 "
            "解释 解釋 总结 總結 摘要 对比 對比 校验 验证 驗證 判断 判斷 估算 预估 解读 解讀 截图 截圖 抓取 "
            "爬取 解码 解密 转换 轉換 监测 監測 追踪 追蹤 跟踪 列举 枚举 探索 診斷 评测 测试 測試 规划 規劃 "
            "导航 扫描 掃描 匹配 読み込 読む 読み取 調べ 探す 変換 評価 推定 抽出 要約 説明 翻訳 検証 "
            "チェック 監視 列挙 集計 찾 보여 읽 추출 비교 요약 번역 예측 추천 검증 진단 모니터 안내 제공 "
            "알려 выводит отображ извлек считыва вычисл рассчит сравн скачив يبحث البحث عرض جلب استرجاع "
            "ค้นหา ดึง แสดง tìm_kiếm lấy tra_cứu חיפוש קבלת הצגת "
        ),
        "create": (
            "创建 創建 新建 添加 新增 更新 修改 编辑 發送 发送 上传 设置 保存 写入 发布 插入 作成 追加 "
            "編集 変更 送信 投稿 登録 설정 추가 수정 전송 저장 보내 등록 导入 回复 标记 移动 复制 "
            "重命名 配置 上傳 созда добав обнов измен отправ сохран 发表 發表 发帖 回覆 點讚 点赞 收藏 关注 "
            "取消 提交 订阅 訂閱 绑定 登录 登錄 登入 注册 註冊 修复 修復 替换 替換 合并 合併 拆分 压缩 壓縮 "
            "归档 填写 填寫 分配 调整 調整 推送 通知 同步 备份 備份 恢复 恢復 设定 設定 设为 预订 預訂 "
            "预约 預約 書き込 適用 移動 コピー 予約 返信 割り当て アップロード 挿入 承認 招待 ログイン "
            "업데이트 변경 작성 업로드 예약 이동 복사 발송 게시 취소 установ редактир публик назнач "
            "إنشاء إضافة تحديث إرسال สร้าง เพิ่ม แก้ไข ส่ง tạo cập_nhật thêm gửi יצירת עדכון הוספת "
        ),
        "generate": "生成 생성 генерир",
        "execute": (
            "执行 執行 运行 啟動 启动 停止 调用 点击 実行 起動 開始 실행 시작 중지 重启 部署 触发 запус "
            "выполн остан 點擊 播放 暂停 暫停 控制 打开 打開 关闭 關閉 切换 切換 训练 訓練 唤醒 重新启动 "
            "重啟 觸發 安装 安裝 再起動 デプロイ クリック 再生 終了 재시작 배포 클릭 재생 종료 перезапус "
            "открыва تشغيل chạy "
        ),
        "delete": (
            "删除 刪除 移除 清空 清除 削除 삭제 제거 удал очист 清理 销毁 銷毀 卸载 卸載 擦除 撤销 撤銷 重置 "
            "消去 破棄 初期化 초기화 очища حذف ลบ xóa מחיקת 恢复出厂 恢復出廠 抹除 抹掉 粉碎 注销账 清零 "
            "格式化磁盘 格式化硬盘 비웁 비우 파기 уничтож безвозврат заводск dọn_sạch ล้าง 空にし 空にする "
            "削除を実行 "
        ),
        "pay": (
            "创建支付 创建订单 發起支付 发起支付 发起退款 申请退款 取消订单 确认支付 "
            "支付 付款 转账 退款 购买 送金 결제 송금 оплат 下单 下單 买入 買入 卖出 賣出 充值 提现 提現 購買 "
            "轉帳 转帐 購入 支払 決済 구매 매수 매도 扣款 提交订单 提交訂單 竞拍 競拍 竞价 出价 出價 打赏 "
            "打賞 续费 放款 借款 申请贷款 缴费 交费 结账 結帳 认购 申购 赎回 质押 汇款 匯款 打款 划转 下注 "
            "投注 转出 提币 投げ銭 入札 課金 返金 "
            "出金 振り込 振込を実行 振込を行 決済を実行 送金を実行 購入を実行 "
            "支払いを実行 注文し 注文を確定 이체 입찰 환불 출금 충전합 주문합 결제합 оплач списыва покупа "
            "купить пополн выплач делает_ставку переводит_деньги переводит_средства перевод_средств "
            "перевод_денег возврат_средств возвращает_деньги выводит_средства оформляет_заказ "
            "оформить_заказ إرسال_أموال تحويل_أموال تحويل_الأموال تحويل_مبلغ دفع شراء استرداد_الأموال "
            "سحب_الأموال העברה_בנקאית העברת_כספים תשלום רכישת החזר_כספי thanh_toán chuyển_tiền nạp_tiền "
            "rút_tiền hoàn_tiền đặt_cược đặt_mua ชำระ จ่าย โอนเงิน ซื้อ คืนเงิน เติมเงิน ถอนเงิน "
        ),
    }.items()
    for word in words.split()
}
# Nothing is done in these, though they contain a verb: a browser, a console, a list of songs.
NO_DEEDS: Final = _each("""
    浏览器 瀏覽器 控制台 播放列表 登录状态 测试用例 支付宝 支付方式 支付状态 支付记录 退款状态 退款记录
    转账记录 购买记录 充值记录 删除记录 已删除
""")
# What is answered if there is no verb.
TOLD_UNSPACED: Final = _each("""
    信息 資訊 情報 数据 資料 データ 历史 歷史 列表 清單 行情 排行 余票 天气 天氣 状态
    狀態 详情 詳情 价格 價格 新闻 新聞 记录 정보 데이터 현황 상태 날씨
""")
