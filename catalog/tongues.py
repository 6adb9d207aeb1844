"""Verbs of other languages that tools are named in. Data; words that English has, too, are left out."""

from typing import Final

# Portuguese and Spanish, French, German, Italian, Turkish; as they are written without accents.
READS: Final = """
    obter obtener consultar consulta buscar busca listar lista pesquisar pesquisa mostrar mostra exibir
    apresenta visualizar verificar validar calcular conferir leer ler
    chercher rechercher recherche obtenir afficher lire lister voir verifier
    suchen suche finden zeigen zeige abrufen auflisten lesen pruefen
    cercare cerca leggi leggere elenca ottieni
    goster listele getir hesapla sorgula bul
"""
WRITES: Final = """
    criar cria crear crea adicionar adiciona agregar anadir inserir actualizar atualizar atualiza editar edita
    alterar modificar enviar envia salvar guardar cadastrar registrar agendar
    creer ajouter modifier envoyer enregistrer mettre
    erstellen erstelle hinzufuegen aendern aktualisieren senden speichern
    aggiungi aggiorna modifica invia salva
    olustur ekle guncelle duzenle gonder kaydet degistir ayarla
"""
EXECUTES: Final = "executar executa ejecutar iniciar inicia parar lancer demarrer starten ausfuehren calistir"
DESTROYS: Final = """
    eliminar elimina excluir exclui apagar borrar deletar remover supprimer effacer loeschen entfernen
    cancella sil kaldir
"""
PAYS: Final = "pagar paga comprar compra transferir cobrar reembolsar estornar bezahlen acquista"
